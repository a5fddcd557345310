// ReserveRequest: what a caller of Store::reserve() asks for: the fingerprint, how long it is
// remembered, and, where there are, its entity and its rate limit. Plain values; views belong to
// the caller.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "store/event.hpp"
#include "store/fingerprint.hpp"
#include "store/sequence.hpp"
#include "store/terms.hpp"

namespace onceproxy::store {

/// The entity that an operation acts on, and what it has to do with it. What is known of an entity
/// is kept as long as it matters: while it is closed, and for a window after the last completion.
struct EntityTerms {
  EntityKey key;
  /// For operators. At most 63 and 255 bytes; longer is cut.
  std::string_view type;
  std::string_view id;
  /// Operations on one entity are reserved one at a time, in order of arrival, and the next one's
  /// turn comes when the one before it is settled. So long the call waits for its turn; absent: it
  /// takes none, and goes on beside the request that has it.
  std::optional<std::chrono::milliseconds> turn;
  /// Below the entity's highest completed one, or at it unless `equal_passes`: Stale.
  std::optional<Sequence> sequence;
  /// When this operation completes the entity is closed for so long, atomically with it.
  std::optional<std::chrono::milliseconds> closes;
  /// Refused while the entity is closed.
  bool unless_closed = false;
  bool equal_passes = false;
};

/// GCRA (the generic cell rate algorithm, ITU-T I.371): `limit` at once, then one each
/// `per / limit`. Consumed atomically with a reservation, given back by its release; duplicates
/// consume nothing.
struct RateTerms {
  RateKey key;
  /// Above zero.
  std::uint32_t limit = 1;
  std::chrono::milliseconds per{1'000};
};

struct ReserveRequest {
  Fingerprint fingerprint;
  /// Absent: the payloads of requests with one fingerprint are not compared.
  std::optional<PayloadDigest> payload;
  /// Absent: the same as these, or not asked for. Where nothing is known under `fingerprint`, a
  /// record under this one that an earlier version wrote stands for the operation; and a record
  /// that an earlier version wrote is compared with this payload too. Nothing is ever written under
  /// it. See Store::digests_since().
  std::optional<EarlierDigests> earlier;
  Terms terms;
  /// Kept in the record for operators. At most 63 and 255 bytes; longer is cut.
  std::string_view policy;
  std::string_view request_id;
  /// The same, at most path_bytes_max (subject.hpp): the request's path, without the query.
  std::string_view path;
  /// For the audit log alone. At most 32 bytes.
  std::string_view trace_id;
  /// Where the request stands in its trace, in the caller's own words: kept in the record for the
  /// duplicates to be told. Empty: nowhere. At most 63 bytes; longer is left out.
  std::string_view trace;
  std::optional<EntityTerms> entity;
  std::optional<RateTerms> rate;
  /// Where another holds the reservation: wait for what becomes of it, no longer than this, instead
  /// of being answered InFlight at once. Of those that wait for one that is released, exactly one
  /// takes over; the others go on waiting.
  std::chrono::milliseconds wait{0};
  /// Another operation may end this one: a store that shares its records with other processes keeps
  /// no answer of it in memory.
  bool may_be_ended = false;
  /// What the caller keeps in memory while it waits. The sum over all that wait is bounded; above
  /// the bound a call does not wait.
  std::size_t bytes_kept = 0;
  /// The operation is not forwarded but stored, to be delivered: a reserve that would be answered
  /// Reserved is answered Accepted instead, and completed with its acknowledgement. It is
  /// remembered until a window after its last delivery has ended. Null: it is none. Only for a
  /// store that has a ledger.
  const EventDraft* event = nullptr;
};

}  // namespace onceproxy::store
