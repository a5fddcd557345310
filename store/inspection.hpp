// Inspection: what operators ask of a store, and what they change in it: records and entities, one
// by one or page by page. Beside the verbs of store.hpp, which requests use; what is changed here
// is atomic against them. It knows neither HTTP nor the operator.
//
// Thread-safety: from any thread but an event loop's: each call waits for the disk.
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

/// A record as an operator sees it: everything but what was answered.
struct RecordView {
  /// A reservation that nobody holds is unknown once its lease is over.
  enum class State { reserved, completed, unknown };

  Fingerprint fingerprint;
  State state = State::reserved;
  std::string policy;
  std::string request_id;
  /// What it is about; empty where an earlier version wrote the record, and where there is none.
  std::string path;
  std::string entity_type;
  std::string entity_id;
  /// Why the outcome is unknown.
  std::string error;
  WallTime created{};
  /// Until then a reservation that nobody holds, or an unknown outcome, is left alone.
  WallTime lease_ends{};
  WallTime expires{};
  std::uint32_t attempts = 1;
  std::uint64_t fence = 0;
  /// Of the answer, when completed; absent where an operator completed it without one.
  std::optional<int> status;
  /// Completed, and there is no answer to give again: why.
  std::optional<NotKept> not_kept;
  /// A request in this process holds it at this moment.
  bool held = false;
  /// How often it was asked for again, and when last; both up to a second old.
  std::uint64_t duplicates = 0;
  std::optional<WallTime> last_duplicate;
};

struct RecordFilter {
  /// The policy's name, in full.
  std::optional<std::string> policy;
  std::optional<RecordView::State> state;
  /// Made for the first time so long ago, or longer.
  std::optional<std::chrono::milliseconds> older_than;
  SubjectFilter subject = {};
};

struct RecordPage {
  /// In order of their fingerprints.
  std::vector<RecordView> items;
  /// Where the next page begins: behind this one. Absent: this was the last page. A page may be
  /// short, or empty, and not be the last: so much is looked at for a page and no more.
  std::optional<Fingerprint> next;
};

/// An entity as an operator sees it.
struct EntityView {
  std::string type;
  std::string id;
  /// Absent: open.
  std::optional<WallTime> closed_until;
  /// The highest that was completed.
  std::optional<Sequence> sequence;
  /// Who has the turn.
  std::optional<Fingerprint> holder;
  /// How many wait for their turn.
  std::size_t waiting = 0;
  WallTime expires{};
};

/// The store cannot be read now, or what it holds cannot.
struct Unreadable {
  std::string why;
};

/// How a change ended.
enum class Changed {
  done,      ///< on disk
  absent,    ///< there is nothing of that name
  conflict,  ///< its state forbids it
  failed,    ///< the store cannot promise; it may have happened or not
};

class Inspection {
 public:
  /// The records behind `after` (absent: from the first), at most `limit` of them. Holds up no
  /// verb and keeps nothing in memory between two pages: what changes meanwhile is seen or not.
  virtual std::variant<RecordPage, Unreadable> records(const RecordFilter& filter,
                                                       const std::optional<Fingerprint>& after,
                                                       std::size_t limit) = 0;
  /// Nothing: there is no record, or it has expired.
  virtual std::variant<std::optional<RecordView>, Unreadable> record(
      const Fingerprint& fingerprint) = 0;

  /// Frees a reserved or unknown one: the next request of the operation is forwarded. A request
  /// that holds it at this moment goes on, and is refused when it wants to settle. Conflict: it is
  /// completed, or on its way from one state to another.
  virtual Changed release(const Fingerprint& fingerprint) = 0;
  /// An unknown one did happen: it is completed for a window from now, with `answer` to give to
  /// duplicates, or nothing. Conflict: it is not unknown.
  virtual Changed resolve(const Fingerprint& fingerprint,
                          const std::optional<StoredAnswer>& answer) = 0;
  /// Whatever its state, as if it had never been, unless a request holds it (conflict).
  virtual Changed forget(const Fingerprint& fingerprint) = 0;

  /// Nothing: nothing is known of it.
  virtual std::variant<std::optional<EntityView>, Unreadable> entity(const EntityKey& key) = 0;
  /// Ends its being closed. Conflict: it is not closed.
  virtual Changed open(const EntityKey& key) = 0;

 protected:
  ~Inspection() = default;
};

}  // namespace onceproxy::store
