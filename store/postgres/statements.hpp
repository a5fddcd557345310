// The statements that every connection has prepared. Each calls one function of the schema (the SQL
// is in sql/). Pure. Thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace onceproxy::store {

enum class Statement : std::uint8_t {
  reserve,
  leave_queue,
  complete,
  release,
  mark_unknown,
  renew,
  confirmed,        ///< how far the standbys are, and how far the log goes
  notify,           ///< tells the other instances
  barrier,          ///< a commit that changes nothing and waits as every other
  beat,             ///< this instance lives
  leave,            ///< it ends
  look,             ///< what the server's settings are now
  sweep,            ///< remove what has expired
  counted,          ///< what the last whole sweep counted
  counted_unknown,  ///< the same of unknown outcomes, by policy
  count_duplicates,
  keep_note,
  list_records,
  find_record,
  find_entity,
  operator_release,
  operator_resolve,
  operator_forget,
  operator_open,
  accept,  ///< reserve an operation and store its event
  acknowledge,
  begin_delivery,
  end_delivery,
  leave_delivery,  ///< an attempt holds its entity no more, or is given up
  redrive_delivery,
  drop_delivery,
  pending_deliveries,
  left_over,  ///< listeners with deliveries that nobody attempts
  find_event,
  events_of,  ///< of one operation, with their deliveries
  list_deliveries,
  list_deliveries_of,
  list_undelivered,
  listener_ages,
  listener_counts,
  ledger_totals,
  follow_routes,
  tend_events,
  reserve_many,  ///< the same as reserve and complete, for several operations (batch.hpp)
  complete_many,
};
inline constexpr std::size_t statements = 45;

/// The result codes of the functions.
namespace code {
inline constexpr int reserved = 1, completed = 2, mismatch = 3, in_flight = 4, held = 5, stale = 6,
                     closed = 7, rate_limited = 8, queued = 9, no_turn = 10;
inline constexpr int done = 1, refused = 2;
inline constexpr int absent = 2, conflict = 3;
inline constexpr int too_late = 11, unsafe = 12, events_full = 13, later = 14;
}  // namespace code

/// Whether it calls a function that returns a code and the server's time in its first two columns.
bool says_time(Statement statement);
/// How several calls of a function are made by one statement.
struct ManyCalls {
  Statement statement;
  /// The types of the function's parameters (statements.cpp), and where each comes from: 'a' an
  /// array with a value for each call, 's' the same for all calls, '0' NULL. The statement's
  /// parameters are the arrays in this order, followed by the others.
  std::string_view types;
  std::string_view from;
};
/// For reserve and complete. The statement returns a row for each call, in any order. It has two
/// more columns than the function: whether the stored answer was left out, because it is larger
/// than shared_answer_bytes_max, and the number of the call, from 1.
ManyCalls many(Statement one);
/// Head and body together.
inline constexpr std::size_t shared_answer_bytes_max = std::size_t{16} << 10;

/// The setting of a session that says how long a statement of several calls may wait for a lock.
inline constexpr std::string_view shared_lock_timeout = "onceproxy.shared_lock_timeout";

/// The name under which it is prepared.
const char* name(Statement statement);
/// The statement itself; its parameters are $1 and so on, in binary format.
std::string text(Statement statement);

}  // namespace onceproxy::store
