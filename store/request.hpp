// ReserveRequest: the arguments of Store::reserve(): the fingerprint, how long it is remembered
// and, if there are any, its entity and its rate limit. Plain values; views belong to the caller.
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

/// The entity of an operation, and the conditions on it. The state of an entity is kept as long as
/// it matters: while it is closed, and for a window after the last completion.
struct EntityTerms {
  EntityKey key;
  /// For operators. At most 63 and 255 bytes; longer texts are cut off.
  std::string_view type;
  std::string_view id;
  /// How long the call waits for its turn. Operations on one entity are reserved one at a time, in
  /// order of arrival, and the next turn begins when the previous operation is settled. Absent: the
  /// operation takes no turn and may run beside another one.
  std::optional<std::chrono::milliseconds> turn;
  /// If it is below the entity's highest completed one, or equal to it without `equal_passes`:
  /// Stale.
  std::optional<Sequence> sequence;
  /// When this operation completes, the entity is closed for this time, atomically with the
  /// completion.
  std::optional<std::chrono::milliseconds> closes;
  /// The operation is refused while the entity is closed.
  bool unless_closed = false;
  bool equal_passes = false;
};

/// GCRA (the generic cell rate algorithm, ITU-T I.371): `limit` operations at once, then one each
/// `per / limit`. A token is taken atomically with a reservation and returned by its release;
/// duplicates take none.
struct RateTerms {
  RateKey key;
  /// Above zero.
  std::uint32_t limit = 1;
  std::chrono::milliseconds per{1'000};
};

struct ReserveRequest {
  Fingerprint fingerprint;
  /// Absent: the payloads of requests with the same fingerprint are not compared.
  std::optional<PayloadDigest> payload;
  /// The digests of the previous version; absent if they are the same or not needed. If there is no
  /// record under `fingerprint`, a record of an earlier version under this one is used. A record of
  /// an earlier version is also compared with this payload. Nothing is ever written under it. See
  /// Store::digests_since().
  std::optional<EarlierDigests> earlier;
  Terms terms;
  /// Kept in the record for operators. At most 63 and 255 bytes; longer texts are cut off.
  std::string_view policy;
  std::string_view request_id;
  /// The same, at most path_bytes_max (subject.hpp): the request's path, without the query.
  std::string_view path;
  /// Only for the audit log. At most 32 bytes.
  std::string_view trace_id;
  /// The trace context of the request, in the caller's format; kept in the record for its
  /// duplicates. Empty: none. At most 63 bytes; a longer one is left out.
  std::string_view trace;
  std::optional<EntityTerms> entity;
  std::optional<RateTerms> rate;
  /// If another request holds the reservation: how long to wait for its outcome, instead of being
  /// answered InFlight at once. When it is released, exactly one waiting call gets the reservation;
  /// the others continue to wait.
  std::chrono::milliseconds wait{0};
  /// Whether another operation may end this one. A store that shares its records with other
  /// processes then keeps no answer of it in memory.
  bool may_be_ended = false;
  /// The memory of the caller while the call waits. The sum over all waiting calls is limited;
  /// above the limit a call does not wait.
  std::size_t bytes_kept = 0;
  /// If set, the operation is not forwarded but stored as an event: where a reserve would be
  /// answered with Reserved, it is completed with its acknowledgement and answered with Accepted.
  /// It is remembered until a window after its last delivery has ended. nullptr: there is no event.
  /// Only for a store with a ledger.
  const EventDraft* event = nullptr;
};

}  // namespace onceproxy::store
