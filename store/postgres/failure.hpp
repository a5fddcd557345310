// Failure: what an SQLSTATE means for an operation: the kind of failure, for metrics, and whether
// the same statement may be retried. PostgreSQL 15, appendix A. Pure. Thread-safe.
#pragma once

#include <string_view>

namespace onceproxy::store {

struct Failure {
  /// One of a fixed set of words: connection, conflict, deadlock, shutdown, connections, resources,
  /// read_only, disk_full, statement_timeout, permission, schema, other.
  std::string_view kind;
  /// The transaction was not done, and a retry may succeed at once.
  bool retry = false;
  /// The session cannot be used any more.
  bool leave = false;
};

Failure failure_of(std::string_view sqlstate);

/// Kinds of failure without an SQLSTATE. `retain`: a result that could not be written was dropped.
namespace trouble {
inline constexpr std::string_view timeout = "timeout", unconfirmed = "unconfirmed",
                                  unsafe = "unsafe", full = "pool_full", circuit = "circuit_open",
                                  lost = "connection", retain = "retain";
}  // namespace trouble

}  // namespace onceproxy::store
