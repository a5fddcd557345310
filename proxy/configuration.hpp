// Configuration: the configuration file and the active configuration. All reloads, whatever
// triggers them, are made here. It reads, validates and compares the file, ignores keys that cannot
// change at run time, and passes the rest to the application. A file that is not valid or cannot be
// applied changes nothing.
//
// Thread-safe: one reload at a time, requested by any thread; look() is called by one thread.
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

/// The result of a reload.
struct Reloaded {
  enum class Status {
    reloaded,
    unchanged,  ///< the file says what is in force; what operators changed meanwhile is taken back
    failed,     ///< what was in force still is
  } status = Status::failed;
  /// As in config/differences.hpp.
  std::vector<std::string> changed;
  /// Changed keys that are effective only after a restart.
  std::vector<std::string> kept;
  std::vector<config::Problem> problems;

  telemetry::Json json() const;
};

/// The values that the command line sets in place of the file, as long as the program runs.
struct Overrides {
  std::optional<telemetry::LogLevel> log_level;
  std::optional<telemetry::LogFormat> log_format;
  std::optional<std::size_t> workers;

  void apply_to(config::Settings& settings) const;
};

class Configuration {
 public:
  /// `text` was read from `file` and loaded as `settings`, with `overrides` already applied.
  Configuration(std::string file, std::string text, config::Settings settings,
                Overrides overrides = {});

  /// The settings with which the program started.
  const config::Settings& started_with() const { return started_with_; }

  /// Activates settings. Called by the thread that reloads, one at a time; an exception means that
  /// nothing was changed, with the reason. `metrics` counts every reload. Called before the first
  /// reload.
  void apply_with(std::function<void(const config::Settings&)> apply, telemetry::Metrics& metrics);

  /// Reads the file again and activates it; the result is logged. `trigger` is for the log:
  /// "signal", "admin".
  Reloaded reload(std::string_view trigger);

  /// Checks whether the file was changed, and reloads it if its content differs from the last one
  /// that was read, valid or not. Called about once a second.
  void look();

  /// For operators: the file, when it was loaded, which changed keys are not active yet, and its
  /// content without secrets and with all defaults.
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

  // Used only by look().
  FileWatch watch_;
  bool gone_ = false;
  /// The file has changed and could not be read yet.
  bool unread_ = false;

  mutable std::mutex mutex_;
  /// The active configuration.
  std::string text_;
  std::vector<std::string> kept_;
  std::chrono::system_clock::time_point loaded_at_ = std::chrono::system_clock::now();
  /// The content of the file when it was last read.
  std::string last_read_;
};

}  // namespace onceproxy
