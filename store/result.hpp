// ReserveResult and Settled: the results of the store's functions. Plain values, except for the
// Permit in Reserved, which is move-only.
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

/// The reservation is durable and belongs to the caller.
struct Reserved {
  Permit permit;
  /// 1 for the first attempt; larger after an unknown outcome.
  std::uint32_t attempt = 1;
};
/// ReserveRequest::event and the acknowledgement are durable; the event will be delivered.
struct Accepted {
  EventNumber event = 0;
};
/// Another request in this process holds the reservation.
struct InFlight {
  /// Another operation has ended it, so it will not be remembered. A new request is a new
  /// operation, which is not under way.
  bool ended = false;
};
/// The fingerprint is known with another payload. This is checked before everything else.
struct Mismatch {};
/// The outcome is unknown, or the holder is gone and its lease has not ended.
struct Held {
  /// The rest of the lease; absent if only the end of the window or an operator ends this state.
  std::optional<std::chrono::milliseconds> lease_left;
};
/// The entity has completed this sequence or a higher one.
struct Stale {};
/// The entity is closed, for this time.
struct Closed {
  std::chrono::milliseconds left{0};
};
/// The rate limit is exceeded, until the next token.
struct RateLimited {
  std::chrono::milliseconds retry_after{0};
};
/// There was no turn of the entity in time, or too many calls wait for it.
struct NoTurn {};
/// The operation is completed and remembered.
struct Completed {
  StoredAnswer answer;
  WallTime completed_at{};
  /// ReserveRequest::trace of the request that was forwarded.
  std::string trace = {};
};
/// The store is not available. The caller must assume that nothing was reserved.
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

/// The result of a settling function.
enum class Settled {
  done,
  refused,  ///< the permit no longer holds the reservation; nothing was changed
  failed,   ///< not known to be durable; the reservation is left to its lease
};

/// The reason why an operation counts as not executed: the answer, or why nothing was sent.
struct NotDone {
  int status = 0;
  std::string_view error;
};

}  // namespace onceproxy::store
