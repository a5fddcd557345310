#include "proxy/telemetry/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <memory>

#include "proxy/telemetry/colour.hpp"
#include "proxy/telemetry/journal.hpp"
#include "proxy/telemetry/json_text.hpp"

namespace onceproxy::telemetry {
namespace {

struct Log {
  Log() : logger("onceproxy", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    // Lines come finished: spdlog's own JSON patterns do not escape.
    logger.set_formatter(std::make_unique<spdlog::pattern_formatter>("%v"));
  }
  spdlog::logger logger;
  std::atomic<LogFormat> format{LogFormat::json};
  /// Each line begins with its priority.
  const bool to_journal = goes_to_journal(STDERR_FILENO);
};

/// Never destroyed: other objects may log while the process ends.
Log& the_log() {
  static Log& log = *new Log;
  return log;
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view level_name(LogLevel level) {
  constexpr std::string_view names[] = {"trace", "debug", "info", "warn", "error"};
  return names[static_cast<std::size_t>(level)];
}

void append_value(std::string& out, const LogField& field, LogFormat format) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    format == LogFormat::json ? append_json_string(out, *text) : append_text_value(out, *text);
  } else if (const auto* integer = std::get_if<std::int64_t>(&field.value)) {
    append_number(out, *integer);
  } else if (const auto* boolean = std::get_if<bool>(&field.value)) {
    out += *boolean ? "true" : "false";
  } else {
    const double number = std::get<double>(field.value);
    if (!std::isfinite(number)) {
      out += "null";  // JSON has no other word for it
      return;
    }
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out.append(digits, static_cast<std::size_t>(end - digits));
  }
}

std::string json_line(LogLevel level, std::string_view time, std::string_view message,
                      std::initializer_list<LogField> fields) {
  std::string line = "{\"time\":\"";
  line.append(time).append("\",\"level\":\"").append(level_name(level)).append("\",\"message\":");
  append_json_string(line, message);
  for (const LogField& field : fields) {
    line += ',';
    append_json_string(line, field.name);
    line += ':';
    append_value(line, field, LogFormat::json);
  }
  line += '}';
  return line;
}

std::string text_line(LogLevel level, std::string_view time, std::string_view message,
                      std::initializer_list<LogField> fields) {
  std::string line(time);
  line.append(" ").append(level_name(level)).append(" ");
  append_escaped(line, message);
  for (const LogField& field : fields) {
    line += ' ';
    append_text_value(line, field.name);
    line += '=';
    append_value(line, field, LogFormat::text);
  }
  return line;
}

/// The text line in colours: the level stands out, what is the same in every line steps back.
std::string coloured_line(LogLevel level, std::string_view time, std::string_view message,
                          std::initializer_list<LogField> fields) {
  std::string line(colour::dim);
  line.append(time).append(colour::end).append(" ");
  line.append(colour_of(level)).append(level_name(level)).append(colour::end).append(" ");
  append_escaped(line, message);
  for (const LogField& field : fields) {
    line.append(" ").append(colour::dim);
    append_text_value(line, field.name);
    line.append("=").append(colour::end);
    append_value(line, field, LogFormat::text);
  }
  return line;
}

std::string formatted(LogFormat format, LogLevel level, std::string_view time,
                      std::string_view message, std::initializer_list<LogField> fields) {
  switch (format) {
    case LogFormat::json:
      return json_line(level, time, message, fields);
    case LogFormat::coloured_text:
      return coloured_line(level, time, message, fields);
    case LogFormat::text:
      break;
  }
  return text_line(level, time, message, fields);
}

}  // namespace

void set_up_log(LogLevel level, LogFormat format) {
  the_log().format.store(format_for(format, STDERR_FILENO), std::memory_order_relaxed);
  set_log_level(level);
}

void set_log_level(LogLevel level) {
  the_log().logger.set_level(spdlog_level(level));
}

std::string_view priority_prefix(LogLevel level) {
  return the_log().to_journal ? journal_priority(level) : std::string_view();
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  Log& log = the_log();
  if (!log.logger.should_log(spdlog_level(level))) return;
  Timestamp timestamp;
  const std::string_view time = timestamp.text(std::chrono::system_clock::now());
  const LogFormat format = log.format.load(std::memory_order_relaxed);
  std::string line = formatted(format, level, time, message, fields);
  line.insert(0, priority_prefix(level));
  log.logger.log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace onceproxy::telemetry
