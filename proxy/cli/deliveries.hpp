// `onceproxy deliveries` and `onceproxy dead-letters`: what became of the events that a running
// program delivers, and what an operator does about those that were not delivered, over the admin
// port. Not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "proxy/cli/admin_port.hpp"

namespace onceproxy::cli {

struct DeliveriesArguments : AdminArguments {
  /// list, show, redrive or drop.
  std::string action;
  /// show: the event's fingerprint. redrive, drop: `number/listener`; none: by the filter.
  std::vector<std::string> named;

  // The filter.
  std::string event;
  std::string listener;
  std::string policy;
  std::string state;
  std::string since;
  std::string until;
  /// All that were not notified.
  bool undelivered = false;
  /// list: 0 is all there are.
  std::size_t limit = 50;

  // redrive, drop:
  /// Everything that the filter takes; without it a filter must say something.
  bool all = false;
  /// redrive: so many a second at most.
  std::size_t rate = 100;
};

/// A table, or the audit of an event as a person reads it, to `out`; with `json` the admin API's
/// JSON. Exit codes as records().
int deliveries(const DeliveriesArguments& arguments, const Streams& streams);

/// Adds `deliveries`, `dead-letters` and their subcommands; as add_commands().
void add_deliveries(CLI::App& app, const Streams& streams, int& exit_code);

}  // namespace onceproxy::cli
