// Failure: what an SQLSTATE means for an operation: which kind of trouble it is, for metrics, and
// whether the same statement may be sent again. PostgreSQL 15, appendix A. Pure. Thread-safe.
#pragma once

#include <string_view>

namespace onceproxy::store {

struct Failure {
  /// One of a fixed set: connection, conflict, deadlock, shutdown, connections, resources,
  /// read_only, disk_full, statement_timeout, permission, schema, other.
  std::string_view kind;
  /// The transaction did not happen, and may succeed at once.
  bool retry = false;
  /// The session is of no use any more.
  bool leave = false;
};

Failure failure_of(std::string_view sqlstate);

/// Kinds that no SQLSTATE stands for.
namespace trouble {
inline constexpr std::string_view timeout = "timeout", unconfirmed = "unconfirmed",
                                  unsafe = "unsafe", full = "pool_full", circuit = "circuit_open",
                                  lost = "connection";
}  // namespace trouble

}  // namespace onceproxy::store
