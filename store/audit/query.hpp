// Reading the audit log: what matches, newest first, a page at a time. A forward is shown as one
// item with what became of it, though the log says the two apart.
//
// The order is that of the times shown, regardless of when an item was written. If two happened in
// one millisecond, what was refused comes before what was forwarded or done, as the newer.
//
// The memory for a page is limited to the files with the next entries (usually two) and the table
// that joins forwards with their outcomes, regardless of the size of the log. It reads the log once
// at most, which takes a second for a gigabyte: not for a request's thread.
//
// find() is thread-safe: the log may be written to meanwhile.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/audit/entry.hpp"
#include "store/audit/log.hpp"

namespace onceproxy::store {

enum class AuditOutcome : std::uint8_t {
  pending,    ///< under way
  completed,  ///< it happened
  released,   ///< an answer says that it did not happen
  failed,     ///< it was never sent
  unknown,    ///< sent, and it is unknown whether it happened
};

/// As users read it. Never empty.
std::string_view name(AuditOutcome outcome);
std::optional<AuditOutcome> audit_outcome(std::string_view name);

/// What became of a forward.
struct AuditEnd {
  AuditOutcome outcome = AuditOutcome::pending;
  /// Absent: no ending is in the log.
  std::optional<WallTime> time;
  int status = 0;
  std::string error;
};

/// Views are valid while it is shown.
struct AuditItem {
  /// Never an AuditEnding.
  AuditEntry entry;
  /// A forward's.
  AuditEnd end;
};

/// How far a reader has come, from the newest entry back.
struct AuditCursor {
  /// An entry's place in the order, oldest first.
  struct Position {
    std::int64_t time = std::numeric_limits<std::int64_t>::max();  ///< milliseconds since 1970
    std::uint64_t file = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t offset = std::numeric_limits<std::uint64_t>::max();
    friend auto operator<=>(const Position&, const Position&) = default;  // NOLINT(*-use-nullptr)
  };
  /// Next comes what is older than `before`, and none of that lies in files above `file`. Files are
  /// numbered from 1; 0: nothing is left.
  struct Place {
    std::uint64_t file = std::numeric_limits<std::uint64_t>::max();
    Position before;
    friend bool operator==(const Place&, const Place&) = default;
  };
  Place forwards;
  Place refusals;

  /// Letters that need no escaping in a URL.
  std::string text() const;
  /// Reads what text() writes; nothing else.
  static std::optional<AuditCursor> parse(std::string_view text);
};

/// The words that `decision` takes besides the decisions on refused requests.
inline constexpr std::string_view audit_forwarded = "forwarded";
inline constexpr std::string_view audit_operator = "operator";
inline constexpr std::string_view audit_started = "started";

/// What to show. Absent and empty: whatever it is.
struct AuditQuery {
  /// When it was forwarded, refused or done: from `since` on, before `until`.
  std::optional<WallTime> since;
  std::optional<WallTime> until;
  std::string policy;
  std::string decision;
  std::optional<Fingerprint> fingerprint;
  SubjectFilter subject;
  /// Forwards alone have one.
  std::vector<AuditOutcome> outcomes;
  std::size_t items_max = 100;
  /// Files are not begun any more once so much has been read; the page ends there.
  std::uint64_t bytes_max = std::uint64_t{1} << 30;
  AuditCursor cursor;
};

/// Calls `show` for each item, newest first. Returns where the next page begins; nothing if
/// there is no more. A page may be empty and not the last.
std::optional<AuditCursor> find(const AuditLog& log, const AuditQuery& query,
                                const std::function<void(const AuditItem&)>& show);

}  // namespace onceproxy::store
