// Backups of the store while the program runs: POST /backup?directory= begins one, GET /backup
// shows the state of the last one. The program itself makes the backup.
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
  /// When it was finished or has failed.
  store::WallTime ended{};
  /// The error, if it has failed.
  std::string error;
  /// Its size, if it was finished.
  std::size_t files = 0;
  std::uint64_t bytes = 0;
};

/// The functions run on the server's thread and must be quick.
struct BackupHooks {
  /// Begins a backup. While one is running, no other is begun, and the result says so.
  std::function<bool(const std::string& directory)> begin;
  std::function<BackupState()> state;
};

void add_backup_endpoints(Server& server, BackupHooks hooks);

}  // namespace onceproxy::admin
