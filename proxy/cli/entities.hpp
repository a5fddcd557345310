// `onceproxy entities`: what a running program knows of an entity, with its history, and ending its
// being closed, over the admin port. Not thread-safe.
#pragma once

#include <vector>

#include "proxy/cli/admin_port.hpp"

namespace onceproxy::cli {

struct EntitiesArguments : AdminArguments {
  /// show or open.
  std::string action;
  std::string type;
  /// The parts of its id.
  std::vector<std::string> id;
  /// show: how much of its history; 0: all there is.
  std::size_t limit = 20;
};

/// Its fields line by line and its history as a table, to `out`; with `json` the admin API's JSON,
/// the entity in the first line and one item of its history in each that follows. Exit codes as
/// records(). That nothing is known of it now is said and is no error: its history may tell more.
int entities(const EntitiesArguments& arguments, const Streams& streams);

/// Adds `entities` and its subcommands; as add_commands().
void add_entities(CLI::App& app, const Streams& streams, int& exit_code);

}  // namespace onceproxy::cli
