// ReserveResult and Settled: what the verbs of the store answer. Plain values, but for the Permit
// in Reserved, which is move-only.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "store/answer.hpp"
#include "store/event.hpp"
#include "store/permit.hpp"
#include "store/wall_time.hpp"

namespace onceproxy::store {

/// The reservation is durable and the caller's alone.
struct Reserved {
  Permit permit;
  /// 1 for the first; above for one that follows an unknown outcome.
  std::uint32_t attempt = 1;
};
/// ReserveRequest::event is durable, as is the acknowledgement, and will be delivered.
struct Accepted {
  EventNumber event = 0;
};
/// Somebody in this process holds the reservation.
struct InFlight {
  /// It will not be remembered, since another operation ended it: whoever asks now asks for a new
  /// one, which nobody does for him.
  bool ended = false;
};
/// The fingerprint is known with another payload. Checked before everything else.
struct Mismatch {};
/// The outcome is unknown, or the holder is gone and its lease is not over.
struct Held {
  /// Until the lease is over; absent where only the window's end or an operator ends it.
  std::optional<std::chrono::milliseconds> lease_left;
};
/// The entity has completed a higher sequence, or this one.
struct Stale {};
/// The entity is closed, for so long.
struct Closed {
  std::chrono::milliseconds left{0};
};
/// Over the rate limit; the next token comes then.
struct RateLimited {
  std::chrono::milliseconds retry_after{0};
};
/// The entity's turn did not come in time, or too many wait for it.
struct NoTurn {};
/// Done, and remembered.
struct Completed {
  StoredAnswer answer;
  WallTime completed_at{};
  /// ReserveRequest::trace of the one that was let through.
  std::string trace = {};
};
/// The store is not available. Nothing was reserved as far as the caller may rely on.
struct Unavailable {
  enum class Reason {
    failed,   ///< a write or read failed, or the store is reopening after one
    full,     ///< the soft size cap is reached: new keys are refused, known ones answer
    pending,  ///< more reservations are under way than allowed
    corrupt,  ///< this fingerprint's record cannot be read
    closing,
    events,  ///< the payloads of stored events take all the space that they may
  };
  Reason reason = Reason::failed;
};

using ReserveResult = std::variant<Reserved, Accepted, InFlight, Mismatch, Held, Stale, Closed,
                                   RateLimited, NoTurn, Completed, Unavailable>;

/// How a settling verb ended.
enum class Settled {
  done,
  refused,  ///< the permit no longer holds the reservation; nothing was changed
  failed,   ///< not known to be durable; the reservation is left to its lease
};

/// Why an operation counts as not having happened: what answered so, or why nothing was sent.
struct NotDone {
  int status = 0;
  std::string_view error;
};

}  // namespace onceproxy::store
