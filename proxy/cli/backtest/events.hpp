// Events: what is still to happen in a simulation, in order of time, and at one time in the order
// in which it was asked for. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

#include "proxy/cli/backtest/moment.hpp"

namespace onceproxy::backtest {

struct Event {
  enum class Kind : std::uint8_t {
    settle,      ///< the forwarded request of this fingerprint is answered, or never will be
    take_over,   ///< nobody holds this fingerprint any more: those that wait for it go on
    next_turn,   ///< nobody has this entity's turn any more
    wait_over,   ///< request `id` has waited long enough for this fingerprint
    turn_over,   ///< request `id` has waited long enough for this entity
    old_record,  ///< this fingerprint may be forgotten
    old_entity,
    old_rate,
  };
  Moment at;
  Kind kind;
  /// Of a fingerprint, an entity or a rate limit.
  std::array<std::uint8_t, 32> key;
  std::uint64_t id = 0;
};

class Events {
 public:
  void add(Event event) { queue_.push({event, next_++}); }

  /// The first one, taken off, where it is at `now` at the latest.
  std::optional<Event> take(Moment now) {
    if (queue_.empty() || queue_.top().event.at > now) return std::nullopt;
    const Event event = queue_.top().event;
    queue_.pop();
    return event;
  }

 private:
  struct Queued {
    Event event;
    std::uint64_t order;
    bool operator<(const Queued& other) const {
      return event.at != other.event.at ? event.at > other.event.at : order > other.order;
    }
  };
  std::priority_queue<Queued> queue_;
  std::uint64_t next_ = 0;
};

}  // namespace onceproxy::backtest
