// Configuration: the file, what of it is in force, and the one way to put another in its place,
// for every trigger. It reads, checks and compares, keeps what cannot change while the program
// runs, and hands the rest to the application. A file that is not valid or cannot be applied
// changes nothing.
//
// Thread-safe: one reload at a time, whichever thread asks; look() belongs to one thread.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "config/load.hpp"
#include "config/settings.hpp"
#include "proxy/file_watch.hpp"
#include "proxy/telemetry/json.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy {

/// What came of a reload.
struct Reloaded {
  enum class Status {
    reloaded,
    unchanged,  ///< the file says what is in force; what operators changed meanwhile is taken back
    failed,     ///< what was in force still is
  } status = Status::failed;
  /// In the words of config/differences.hpp.
  std::vector<std::string> changed;
  /// Keys that differ from what is in force and cannot change before the next start.
  std::vector<std::string> kept;
  std::vector<config::Problem> problems;

  telemetry::Json json() const;
};

/// What the command line says instead of the file, for as long as the program runs.
struct Overrides {
  std::optional<telemetry::LogLevel> log_level;
  std::optional<telemetry::LogFormat> log_format;
  std::optional<std::size_t> workers;

  void apply_to(config::Settings& settings) const;
};

class Configuration {
 public:
  /// `text` was read from `file` and loaded as `settings`, in which `overrides` hold already.
  Configuration(std::string file, std::string text, config::Settings settings,
                Overrides overrides = {});

  /// As the program began with.
  const config::Settings& started_with() const { return started_with_; }

  /// Puts settings in force. Runs on the thread that reloads, one at a time; an exception says that
  /// nothing was changed, and why. `metrics` hears of every reload. Called before the first one.
  void apply_with(std::function<void(const config::Settings&)> apply, telemetry::Metrics& metrics);

  /// Reads the file again and puts it in force; the result is logged. `trigger` is for the
  /// log: "signal", "admin".
  Reloaded reload(std::string_view trigger);

  /// Looks whether the file was changed, and reloads it if it now says something else than when it
  /// was last read, good or bad. To be called about once a second.
  void look();

  /// For operators: the file, when it was loaded, what of it is not in force, and what it says,
  /// without secrets and with every default.
  std::string dump() const;

 private:
  tl::expected<std::string, std::string> read() const;
  Reloaded reload_text(std::string text, std::string_view trigger);
  Reloaded put_in_force(const std::string& text);
  Reloaded refused(std::string message) const;
  void tell(const Reloaded& reloaded, std::string_view trigger);

  const std::string file_;
  const config::Settings started_with_;
  const Overrides overrides_;
  std::function<void(const config::Settings&)> apply_;
  telemetry::Metrics* metrics_ = nullptr;

  // look()'s own.
  FileWatch watch_;
  bool gone_ = false;

  mutable std::mutex mutex_;
  /// What is in force.
  std::string text_;
  std::vector<std::string> kept_;
  std::chrono::system_clock::time_point loaded_at_ = std::chrono::system_clock::now();
  /// What the file said when it was last read.
  std::string last_read_;
};

}  // namespace onceproxy
