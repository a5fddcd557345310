// `onceproxy backup` and `onceproxy restore`: copies of the store. A running program makes the
// backup itself; of one that is stopped, and for a restore, the store is opened here.
// Not thread-safe.
#pragma once

#include <string>

#include "proxy/cli/port_of_config.hpp"

namespace onceproxy::cli {

struct BackupArguments : BesideArguments {
  /// New or empty; where the running program sees it.
  std::string directory;
  bool offline = false;
};

int backup(const BackupArguments& arguments, const Streams& streams);
void add_backup(CLI::App& app, const Streams& streams, int& exit_code);

struct RestoreArguments {
  std::string directory;
  std::string config;
  bool force = false;
};

int restore(const RestoreArguments& arguments, const Streams& streams);
void add_restore(CLI::App& app, const Streams& streams, int& exit_code);

}  // namespace onceproxy::cli
