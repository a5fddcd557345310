// `onceproxy store`: what an operator does to a store that no program uses: bring the schema of a
// database up to date, and carry live records from one store to another. Not thread-safe.
#pragma once

#include <string>

#include "proxy/cli/commands.hpp"

namespace onceproxy::cli {

struct StoreMigrateArguments {
  std::string config;
  /// Changes nothing and prints the statements.
  bool dry_run = false;
};

/// Brings the schema of `store.postgres` to what this program works with. A store that has no
/// schema needs none: that is no error. `exit_bad` if the database refuses.
int store_migrate(const StoreMigrateArguments& arguments, const Streams& streams);

struct StoreMoveArguments {
  /// Configurations of the programs before and after: one has RocksDB, the other PostgreSQL.
  std::string config;
  std::string to;
  /// Looks at both and writes nothing.
  bool dry_run = false;
  /// To PostgreSQL: moves also operations whose names an earlier version computed in another way.
  /// They are not found under their present names there.
  bool forget_earlier = false;
};

/// Carries what has not expired from the store of the one configuration to that of the other, and
/// prints how much. The source stays as it is. `exit_bad` if a store cannot be opened, is in
/// use, or holds something else than the source.
int store_move(const StoreMoveArguments& arguments, const Streams& streams);

/// Adds `store`; as add_commands().
void add_store(CLI::App& app, const Streams& streams, int& exit_code);

}  // namespace onceproxy::cli
