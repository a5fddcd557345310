// PostgresOptions: what an operator sets of the shared store. Plain values.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>

#include "store/audit/options.hpp"

namespace onceproxy::store {

/// When a commit counts, and which rows are answered from.
enum class Durability {
  quorum,   ///< once the synchronous standbys have it; a failover to one of them loses nothing
  primary,  ///< once the primary has it on disk; a failover may lose what it acknowledged last
};

struct PostgresOptions {
  /// As libpq takes it: postgresql://user@host1,host2/database?sslmode=verify-full. A password in
  /// it is shown nowhere.
  std::string url;
  /// A file whose first line is the password; read for every connection, so that it can be changed.
  /// Empty: as libpq finds it (PGPASSFILE, ~/.pgpass, a client certificate).
  std::filesystem::path password_file;
  /// Of this process, for requests; above zero. Up to four more carry upkeep, and
  /// one of them listens.
  std::size_t connections = 16;
  std::string schema = "onceproxy";
  Durability durability = Durability::quorum;
  /// Answers that were confirmed within the last second, in memory. 0: none are kept.
  std::size_t cache_bytes = std::size_t{64} << 20;
  /// Reservations under way at once; further ones are refused.
  std::size_t pending_max = 100'000;
  /// Operations that wait for a connection at once; further ones are refused.
  std::size_t queue_max = 10'000;
  /// How long one operation may take, with its retries and the wait for the standbys.
  std::chrono::milliseconds operation_timeout{2'000};
  std::chrono::milliseconds connect_timeout{5'000};
  /// This instance's own audit log; an empty path: none is kept.
  std::filesystem::path audit_path;
  AuditOptions audit;

  friend bool operator==(const PostgresOptions&, const PostgresOptions&) = default;
};

}  // namespace onceproxy::store
