// `onceproxy health`: whether a running program is ready, or alive, as an exit code, for the probes
// of a container that has no other program. Not thread-safe.
#pragma once

#include <string>

#include "proxy/cli/port_of_config.hpp"

namespace onceproxy::cli {

struct HealthArguments : BesideArguments {
  /// The telemetry port, host:port or unix:/path; empty: none was given.
  std::string telemetry;
  bool live = false;
  std::string timeout = "1s";
};

/// `exit_good` if the answer is 200; the answer goes to `out`. Every other answer, none within
/// the timeout, and bad arguments are `exit_bad`, with the reason to `err`.
int health(const HealthArguments& arguments, const Streams& streams);

void add_health(CLI::App& app, const Streams& streams, int& exit_code);

}  // namespace onceproxy::cli
