// RunCommand: the options of `onceproxy run`, which are also accepted without a command: our own,
// and those of Envoy that have a meaning here. Other options of Envoy are refused with the reason.
// Not thread-safe.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "proxy/app.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace onceproxy {

class RunCommand {
 public:
  /// The options refer to this object. Returns the option for the configuration.
  CLI::Option* add_to(CLI::App& app);

  /// Reads the parsed options. If they are not valid, returns nothing, and `why` is a line without
  /// the program's name.
  std::optional<std::string> read();

  /// Valid after read().
  const RunOptions& options() const { return options_; }
  /// Whether only the configuration is validated.
  bool validates() const { return mode_ == "validate"; }
  /// Validates it and prints as Envoy does: "configuration 'FILE' OK" to `out`, or every problem to
  /// `err`. Returns the exit code: 0, or 1 (also if the file cannot be read).
  int validate(std::istream& in, std::ostream& out, std::ostream& err) const;

 private:
  std::optional<std::string> read_drain_time();
  std::optional<std::string> read_log();
  std::optional<std::string> read_concurrency();

  RunOptions options_;
  std::string mode_ = "serve";
  std::string drain_time_;
  std::string drain_seconds_;
  std::string log_level_;
  std::string log_format_;
  std::string concurrency_;
  bool no_hot_restart_ = false;
};

}  // namespace onceproxy
