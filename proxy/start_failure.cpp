#include "proxy/start_failure.hpp"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <sstream>
#include <string>

#include "config/redact.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy {

namespace {

using telemetry::LogLevel;

/// A file can have a problem in every line; the log need not.
constexpr std::size_t problems_logged_max = 50;

/// The settings of the file, as far as they can be read from a file that is refused.
bool asks_for_text(std::string_view config_text) {
  const telemetry::Json said = config::redacted(config_text, config::process_environment());
  const telemetry::Json* const log = telemetry::json_member(said, "log");
  const telemetry::Json* const format =
      log == nullptr ? nullptr : telemetry::json_member(*log, "format");
  return format != nullptr && *format == telemetry::Json("text");
}

/// Text with carets is for people.
bool as_text(std::string_view config_text) {
  return ::isatty(STDERR_FILENO) == 1 || asks_for_text(config_text);
}

/// For the journal, each line is a separate entry.
void tell(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::cerr << telemetry::priority_prefix(LogLevel::error) << line << "\n";
  }
}

void log_problem(const config::Problem& problem) {
  std::string place = problem.file;
  if (problem.line > 0) {
    place += ':' + std::to_string(problem.line) + ':' + std::to_string(problem.column);
  }
  telemetry::log(LogLevel::error, "configuration problem",
                 {{"place", place}, {"path", problem.path}, {"error", problem.message}});
}

}  // namespace

void log_problems(const std::vector<config::Problem>& problems) {
  for (std::size_t i = 0; i < std::min(problems.size(), problems_logged_max); ++i) {
    log_problem(problems[i]);
  }
}

void tell_failure(std::string_view config_text, std::string_view why) {
  if (as_text(config_text)) {
    tell("onceproxy: " + std::string(why));
    return;
  }
  telemetry::set_up_log(LogLevel::info, telemetry::LogFormat::json);
  telemetry::log(LogLevel::error, "cannot start", {{"error", why}});
}

void tell_failure(std::string_view config_text, const std::vector<config::Problem>& problems) {
  if (as_text(config_text)) {
    for (const config::Problem& problem : problems) tell(problem.text());
    return;
  }
  telemetry::set_up_log(LogLevel::info, telemetry::LogFormat::json);
  log_problems(problems);
  telemetry::log(LogLevel::error, "cannot start",
                 {{"error", "the configuration has problems"},
                  {"problems", static_cast<std::int64_t>(problems.size())}});
}

}  // namespace onceproxy
