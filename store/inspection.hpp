// Inspection: the functions for operators: they show and change records and entities, individually
// or in pages. Requests use the functions of store.hpp instead; changes here are atomic with
// respect to them. It does not know HTTP or the operator.
//
// Thread-safety: may be called by any thread except an event loop's, because each call waits for
// the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "store/answer.hpp"
#include "store/fingerprint.hpp"
#include "store/sequence.hpp"
#include "store/subject.hpp"
#include "store/wall_time.hpp"

namespace onceproxy::store {

/// A record for an operator: everything except its answer.
struct RecordView {
  /// A reservation that no call holds is shown as unknown when its lease has ended.
  enum class State { reserved, completed, unknown };

  Fingerprint fingerprint;
  State state = State::reserved;
  std::string policy;
  std::string request_id;
  /// The subject; empty if an earlier version wrote the record, or if there is none.
  std::string path;
  std::string entity_type;
  std::string entity_id;
  /// The reason why the outcome is unknown.
  std::string error;
  WallTime created{};
  /// The end of the lease of a reservation that no call holds, or of an unknown outcome.
  WallTime lease_ends{};
  WallTime expires{};
  std::uint32_t attempts = 1;
  std::uint64_t fence = 0;
  /// The status of the answer of a completed record; absent if an operator completed it without an
  /// answer.
  std::optional<int> status;
  /// For a completed record without an answer to replay: the reason.
  std::optional<NotKept> not_kept;
  /// Whether a request in this process holds it now.
  bool held = false;
  /// How often it was requested again, and when last; both may lag by a second.
  std::uint64_t duplicates = 0;
  std::optional<WallTime> last_duplicate;
};

struct RecordFilter {
  /// The complete name of the policy.
  std::optional<std::string> policy;
  std::optional<RecordView::State> state;
  /// Created at least this long ago.
  std::optional<std::chrono::milliseconds> older_than;
  SubjectFilter subject = {};
};

struct RecordPage {
  /// In the order of their fingerprints.
  std::vector<RecordView> items;
  /// The position after which the next page begins; absent on the last page. A page may be short or
  /// empty without being the last, because the search for one page is limited.
  std::optional<Fingerprint> next;
};

/// An entity for an operator.
struct EntityView {
  std::string type;
  std::string id;
  /// Absent if the entity is open.
  std::optional<WallTime> closed_until;
  /// The highest completed sequence.
  std::optional<Sequence> sequence;
  /// The reservation that has the turn.
  std::optional<Fingerprint> holder;
  /// How many operations wait for their turn.
  std::size_t waiting = 0;
  WallTime expires{};
};

/// The store cannot be read now, or a record in it is not valid.
struct Unreadable {
  std::string why;
};

/// The result of a change.
enum class Changed {
  done,      ///< on disk
  absent,    ///< there is nothing of that name
  conflict,  ///< its state forbids it
  failed,    ///< the store cannot promise; it may have happened or not
};

class Inspection {
 public:
  /// The records after `after` (absent: from the first), at most `limit` of them. It does not block
  /// requests and keeps nothing in memory between two pages, so concurrent changes may or may not
  /// be seen.
  virtual std::variant<RecordPage, Unreadable> records(const RecordFilter& filter,
                                                       const std::optional<Fingerprint>& after,
                                                       std::size_t limit) = 0;
  /// Nothing if there is no record, or if it has expired.
  virtual std::variant<std::optional<RecordView>, Unreadable> record(
      const Fingerprint& fingerprint) = 0;

  /// Releases a reserved or unknown record: the next request of the operation is forwarded. A
  /// request that currently holds it continues, and cannot settle it later. Conflict: it is
  /// completed, or is just changing its state.
  virtual Changed release(const Fingerprint& fingerprint) = 0;
  /// Marks an unknown record as completed, for a window from now, with `answer` for duplicates or
  /// without one. Conflict: it is not unknown.
  virtual Changed resolve(const Fingerprint& fingerprint,
                          const std::optional<StoredAnswer>& answer) = 0;
  /// Deletes a record in any state, unless a request holds it (conflict).
  virtual Changed forget(const Fingerprint& fingerprint) = 0;

  /// Nothing if there is no state of the entity.
  virtual std::variant<std::optional<EntityView>, Unreadable> entity(const EntityKey& key) = 0;
  /// Reopens a closed entity. Conflict: it is not closed.
  virtual Changed open(const EntityKey& key) = 0;

 protected:
  ~Inspection() = default;
};

}  // namespace onceproxy::store
