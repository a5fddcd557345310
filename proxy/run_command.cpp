#include "proxy/run_command.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <sstream>

#include "config/scalars.hpp"
#include "proxy/cli/commands.hpp"

namespace onceproxy {

namespace {

struct Refused {
  const char* name;
  const char* why;
  bool shown = false;
};

constexpr const char* no_hot_restart = "there is no hot restart: the store has one owner at a time";

/// Options of Envoy's that mean nothing here.
constexpr Refused refused[] = {
    {"--base-id", no_hot_restart, true},
    {"--use-dynamic-base-id", no_hot_restart},
    {"--base-id-path", no_hot_restart},
    {"--restart-epoch", no_hot_restart},
    {"--parent-shutdown-time-s", no_hot_restart},
    {"--hot-restart-version", no_hot_restart},
    {"--skip-hot-restart-on-no-parent", no_hot_restart},
    {"--drain-strategy", "connections are told to close as soon as the drain begins"},
    {"--config-yaml", "the configuration is one file, so that what is in force can be read there"},
    {"--component-log-level", "the log has one level for all parts; write --log-level"},
    {"--log-path", "the log goes to standard error, where the service manager takes it"},
    {"--admin-address-path", "the log line \"listening\" tells the admin port's address"},
    {"--service-node", "onceproxy has no control plane"},
    {"--service-cluster", "onceproxy has no control plane"},
    {"--service-zone", "onceproxy has no control plane"},
    {"--cpuset-threads", "without --concurrency there is a worker for each core of the cgroup"},
    {"--allow-unknown-static-fields", "an unknown key would protect nothing, so it is an error"},
};

void add_refused(CLI::App& app) {
  for (const Refused& one : refused) {
    const std::string name = one.name;
    const std::string why = one.why;
    CLI::Option* const option = app.add_option(
        name,
        [name, why](const CLI::results_t&) -> bool {
          throw CLI::ValidationError(name, "not supported, because " + why);
        },
        "Refused: " + why);
    option->expected(0, 1)->group(one.shown ? "Options" : "");
  }
}

template <typename Number>
std::optional<Number> whole_number(const std::string& text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Envoy's words.
std::optional<telemetry::LogLevel> level_of(const std::string& word) {
  using telemetry::LogLevel;
  if (word == "trace") return LogLevel::trace;
  if (word == "debug") return LogLevel::debug;
  if (word == "info") return LogLevel::info;
  if (word == "warning" || word == "warn") return LogLevel::warn;
  // There is nothing above an error here.
  if (word == "error" || word == "critical") return LogLevel::error;
  return std::nullopt;
}

}  // namespace

CLI::Option* RunCommand::add_to(CLI::App& app) {
  app.add_option("--drain-time", drain_time_,
                 "How long requests under way may take to end after SIGTERM (default 30s)")
      ->type_name("DURATION");
  app.add_option("--drain-time-s", drain_seconds_,
                 "The same as --drain-time, in whole seconds as in Envoy")
      ->type_name("SECONDS");
  app.add_option("--mode", mode_,
                 "serve, or validate: check the configuration and exit (default serve)")
      ->type_name("MODE");
  app.add_option("-l,--log-level", log_level_,
                 "Replaces log.level: trace, debug, info, warning, error or critical")
      ->type_name("LEVEL");
  app.add_option("--log-format", log_format_, "Replaces log.format: json or text")
      ->type_name("FORMAT");
  app.add_option("--concurrency", concurrency_, "Replaces workers: the number of worker threads")
      ->type_name("THREADS");
  app.add_flag("--disable-hot-restart", no_hot_restart_, "Has no effect")->group("");
  app.add_flag("--accept-wal-loss", options_.accept_wal_loss,
               "Open a store whose write-ahead log is corrupt, losing what cannot be read");
  app.add_flag("--accept-clock", options_.accept_clock,
               "Accept the wall clock, even if it differs much from the store's time");
  add_refused(app);
  return app
      .add_option("-c,--config,--config-path", options_.config_file, "Configuration file (YAML)")
      ->type_name("FILE");
}

std::optional<std::string> RunCommand::read() {
  if (mode_ != "serve" && mode_ != "validate") {
    return "--mode: unknown mode '" + mode_ + "'; there are serve and validate";
  }
  if (auto wrong = read_drain_time()) return wrong;
  if (auto wrong = read_log()) return wrong;
  return read_concurrency();
}

std::optional<std::string> RunCommand::read_drain_time() {
  if (!drain_time_.empty() && !drain_seconds_.empty()) {
    return "--drain-time and --drain-time-s say the same; give one of them";
  }
  if (!drain_time_.empty()) {
    const auto parsed = config::parse_duration(drain_time_);
    if (!parsed) return "--drain-time: " + parsed.error();
    options_.drain_time = *parsed;
  }
  if (!drain_seconds_.empty()) {
    const auto seconds = whole_number<std::uint32_t>(drain_seconds_);
    if (!seconds) {
      return "--drain-time-s: \"" + drain_seconds_ +
             "\" is not a whole number of seconds; --drain-time takes other units";
    }
    options_.drain_time = std::chrono::seconds(*seconds);
  }
  return std::nullopt;
}

std::optional<std::string> RunCommand::read_log() {
  if (log_level_ == "off") {
    return "--log-level: off is not supported, because every failure has its line in the log; "
           "redirect standard error instead";
  }
  if (!log_level_.empty()) {
    options_.overrides.log_level = level_of(log_level_);
    if (!options_.overrides.log_level) {
      return "--log-level: unknown level \"" + log_level_ +
             "\"; there are trace, debug, info, warning, error and critical, which means error";
    }
  }
  if (log_format_ == "json") options_.overrides.log_format = telemetry::LogFormat::json;
  if (log_format_ == "text") options_.overrides.log_format = telemetry::LogFormat::text;
  if (!log_format_.empty() && !options_.overrides.log_format) {
    return "--log-format: it is json or text; patterns of spdlog are not supported, because they "
           "do not escape values, so that a value could forge a line";
  }
  return std::nullopt;
}

std::optional<std::string> RunCommand::read_concurrency() {
  constexpr std::size_t workers_max = 1'024;
  if (concurrency_.empty()) return std::nullopt;
  const auto threads = whole_number<std::size_t>(concurrency_);
  if (!threads || *threads == 0 || *threads > workers_max) {
    return "--concurrency: \"" + concurrency_ + "\" is not a number from 1 to " +
           std::to_string(workers_max) + "; leave it out for one worker a core";
  }
  options_.overrides.workers = *threads;
  return std::nullopt;
}

int RunCommand::validate(std::istream& in, std::ostream& out, std::ostream& err) const {
  std::ostringstream unsaid;
  if (cli::check(options_.config_file, false, {in, unsaid, err}) != cli::exit_good) {
    return cli::exit_bad;
  }
  out << "configuration '" << options_.config_file << "' OK\n";
  return cli::exit_good;
}

}  // namespace onceproxy
