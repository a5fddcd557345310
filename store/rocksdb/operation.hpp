// Operation: one verb under way to the disk: what to write, and which call to answer. A verb
// makes it, whole and encoded, on its caller's thread, so that the committer only puts bytes
// together; whatever a verb writes is one operation and thus atomic.
// Not thread-safe: one owner at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/call.hpp"
#include "store/fingerprint.hpp"
#include "store/permit.hpp"
#include "store/result.hpp"
#include "store/rocksdb/ledger_change.hpp"

namespace onceproxy::store {

/// The column families. `records` is keyed by fingerprint, `answers` by answer_key(), `events` and
/// `deliveries` as event_rows.hpp says, the others by their own keys.
enum class Family : std::uint8_t {
  meta,
  records,
  answers,
  entities,
  rates,
  duplicates,
  events,
  deliveries
};

struct HeldResources;

struct Write {
  Family family = Family::records;
  std::string key;
  std::optional<std::string> value;  ///< absent: delete
};

struct Operation {
  enum class Kind : std::uint8_t {
    reserve,
    complete,
    release,
    mark_unknown,
    accept,  ///< the reservation of an event, completed with its acknowledgement
    ledger,  ///< what became of a delivery; no fingerprint is touched
    entity,  ///< an operator changed the entity in `resources`; no fingerprint is touched
  };

  Operation* next = nullptr;
  Kind kind = Kind::reserve;
  Fingerprint fingerprint;
  /// Of the reservation that is made or settled: tells whether a record is still ours.
  Nonce nonce{};
  /// What becomes of the fingerprint's record; absent: it is deleted.
  std::optional<std::string> record;
  /// What is written or deleted with it.
  std::vector<Write> also;
  /// Kind::complete and Kind::accept only: the operations whose memory ends with it.
  std::vector<Fingerprint> ends;
  /// The entry of the audit log, once the operation is written.
  std::string audit;
  /// The reservation's, which outlives the operation; null if it has none. What is written of
  /// its entity and its rate limit is what is known of them when the group is put together, so
  /// that nothing older ever lands on something newer.
  const HeldResources* resources = nullptr;

  /// Kind::accept and Kind::ledger only.
  std::unique_ptr<LedgerChange> ledger;

  /// Kind::reserve and Kind::accept only.
  Call<ReserveResult>* reserve_call = nullptr;
  std::uint64_t fence = 0;
  std::uint32_t attempt = 1;
  /// The record this one takes over from, to put back if the write's fate is unknown.
  std::optional<std::string> previous;

  /// All other kinds but Kind::ledger, whose change has the call.
  Call<Settled>* settle_call = nullptr;

  std::size_t bytes() const {
    std::size_t sum = sizeof *this + (record ? record->size() : 0) + audit.size() +
                      ends.size() * sizeof(Fingerprint) + (ledger ? ledger->bytes() : 0);
    for (const Write& write : also) {
      sum += sizeof write + write.key.size() + (write.value ? write.value->size() : 0);
    }
    return sum;
  }
};

}  // namespace onceproxy::store
