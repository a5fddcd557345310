// App: the running program. It connects configuration, store, telemetry, the data port and the
// admin ports, and stops them in an order in which nothing is lost.
#pragma once

#include <chrono>
#include <string>

#include "proxy/configuration.hpp"

namespace onceproxy {

struct RunOptions {
  /// The path as given on the command line; for messages.
  std::string config_file;
  /// How long requests under way may take to end after SIGTERM.
  std::chrono::milliseconds drain_time{30'000};
  /// The values that the command line sets in place of the configuration file.
  Overrides overrides;
  /// Open a store whose write-ahead log is corrupt, losing what cannot be read.
  bool accept_wal_loss = false;
  /// Accept the wall clock, even if it differs much from the store's time.
  bool accept_clock = false;
};

/// Serves until SIGTERM or SIGINT. Returns the process's exit code. Throws std::exception with a
/// message for an operator when it cannot start.
int run(Configuration& configuration, const RunOptions& options);

}  // namespace onceproxy
