// `onceproxy drain`: takes a running program out of service without losing a request, for the hook
// that a container runs before it is stopped. Not thread-safe.
#pragma once

#include <string>

#include "proxy/cli/port_of_config.hpp"

namespace onceproxy::cli {

struct DrainArguments : BesideArguments {
  bool wait = false;
  /// How long readiness fails while connections are still accepted.
  std::string grace = "5s";
  /// How long what is under way may take after that.
  std::string timeout = "30s";
};

/// Fails readiness, waits for the grace, stops accepting, and with `wait` returns when no
/// connection of a client is left: `exit_good`. Not in time, unreachable (after the grace, which
/// clients need in any case), and bad arguments are `exit_bad`. It ends nothing that is under way,
/// and not the program.
int drain(const DrainArguments& arguments, const Streams& streams);

void add_drain(CLI::App& app, const Streams& streams, int& exit_code);

}  // namespace onceproxy::cli
