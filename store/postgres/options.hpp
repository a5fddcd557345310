// PostgresOptions: what an operator sets of the shared store. Plain values.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>

#include "store/audit/options.hpp"
#include "store/ledger_options.hpp"

namespace onceproxy::store {

/// When a commit counts, and which rows may be answered from.
enum class Durability {
  quorum,   ///< once the synchronous standbys have it; a failover to one of them loses nothing
  primary,  ///< once the primary has it on disk; a failover may lose what it acknowledged last
};

struct PostgresOptions {
  /// As libpq reads it: postgresql://user@host1,host2/database?sslmode=verify-full. A password in
  /// it is never shown.
  std::string url;
  /// A file whose first line is the password. It is read for every connection, so the password can
  /// be changed. Empty: libpq looks for one (PGPASSFILE, ~/.pgpass, a client certificate).
  std::filesystem::path password_file;
  /// Connections of this process for requests; above zero. Up to four more are opened for upkeep
  /// and notifications.
  std::size_t connections = 16;
  std::string schema = "onceproxy";
  Durability durability = Durability::quorum;
  /// Memory for answers that were confirmed within the last second. 0: none are kept.
  std::size_t cache_bytes = std::size_t{64} << 20;
  /// Maximum number of reservations under way; further ones are refused.
  std::size_t pending_max = 100'000;
  /// Maximum number of operations that wait for a connection; further ones are refused.
  std::size_t queue_max = 10'000;
  /// How long one operation may take, with its retries and the wait for the standbys.
  std::chrono::milliseconds operation_timeout{2'000};
  std::chrono::milliseconds connect_timeout{5'000};
  /// The audit log of this instance; with an empty path there is none.
  std::filesystem::path audit_path;
  AuditOptions audit;
  LedgerOptions ledger;

  friend bool operator==(const PostgresOptions&, const PostgresOptions&) = default;
};

}  // namespace onceproxy::store
