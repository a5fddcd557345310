// Backups of the store while the program runs: POST /backup?directory= begins one, GET /backup
// tells what became of the last. It keeps nothing of its own; the making is the program's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "proxy/admin/server.hpp"
#include "store/wall_time.hpp"

namespace onceproxy::admin {

struct BackupState {
  enum class Phase { none, running, done, failed };
  Phase phase = Phase::none;
  std::string directory;
  store::WallTime begun{};
  /// Once it is done or has failed.
  store::WallTime ended{};
  /// Of one that has failed.
  std::string error;
  /// Of one that is done.
  std::size_t files = 0;
  std::uint64_t bytes = 0;
};

/// Run on the server's thread and must be quick.
struct BackupHooks {
  /// Begins a backup; nothing is begun while one is running, and then it says so.
  std::function<bool(const std::string& directory)> begin;
  std::function<BackupState()> state;
};

void add_backup_endpoints(Server& server, BackupHooks hooks);

}  // namespace onceproxy::admin
