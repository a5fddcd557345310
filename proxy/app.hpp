// App: the running program. Wires configuration, store, telemetry, the data port and the admin
// ports together, and takes them down in the order that loses nothing.
#pragma once

#include <chrono>
#include <string>

#include "proxy/configuration.hpp"

namespace onceproxy {

struct RunOptions {
  /// As given on the command line; for messages.
  std::string config_file;
  /// How long what is under way may take to end after SIGTERM.
  std::chrono::milliseconds drain_time{30'000};
  /// What the command line says instead of the configuration file.
  Overrides overrides;
  /// Open a store whose write-ahead log is corrupt, losing what cannot be read.
  bool accept_wal_loss = false;
  /// Accept the wall clock, however far it is from the time that the store kept.
  bool accept_clock = false;
};

/// Serves until SIGTERM or SIGINT. Returns the process's exit code. Throws std::exception with a
/// message for an operator when it cannot start.
int run(Configuration& configuration, const RunOptions& options);

}  // namespace onceproxy
