// RunCommand: the options of `onceproxy run`, which also stand at the top of the command line: our
// own, and those of Envoy's that mean something here, as Envoy spells them. Options of Envoy's that
// mean nothing here are refused with a reason, so that nobody believes that they work.
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
  /// What is added holds references to this object. Returns the option that names the
  /// configuration.
  CLI::Option* add_to(CLI::App& app);

  /// What was parsed. Nothing: it is not valid; why is a line without the program's name.
  std::optional<std::string> read();

  /// Valid after read().
  const RunOptions& options() const { return options_; }
  /// Only the configuration is to be checked.
  bool validates() const { return mode_ == "validate"; }
  /// Checks it, and says what Envoy says: "configuration 'FILE' OK" to `out`, or every problem to
  /// `err`. The exit code: 0, or 1 also where the file cannot be read.
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
