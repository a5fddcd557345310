// How one reserve waits: for the outcome of the operation that it repeats, or for the turn of its
// entity.
#include <algorithm>
#include <utility>

#include "store/postgres/one_query.hpp"
#include "store/postgres/poll_loop.hpp"
#include "store/postgres/reserve_columns.hpp"
#include "store/postgres/reserving.hpp"
#include "store/postgres/telling.hpp"

namespace onceproxy::store {

using std::chrono::milliseconds;

void Reserving::wait_for_outcome(const pq::Row& row) {
  ended_ = row.flag(o_flag);
  if (request_->wait <= milliseconds(0)) {
    finish(InFlight{ended_});
    return;
  }
  // If the operation had been ended before this call came, its outcome is not for this call.
  Nonce holder{};
  row.into(o_nonce, holder);
  if (!ended_) {
    waited_ = holder;
  } else if (waited_ && *waited_ != holder) {
    waited_.reset();
  }
  leave_queue();
  if (outcome_until_ == SteadyClock::time_point()) {
    outcome_until_ = SteadyClock::now() + request_->wait;
  }
  wait(Waits::outcome, outcome_until_);
}

void Reserving::wait_for_turn() {
  queued_ = request_->entity->key;
  if (turn_until_ == SteadyClock::time_point()) {
    queued_at_ = SteadyClock::now();
    turn_until_ = queued_at_ + *request_->entity->turn;
  }
  wait(Waits::turn, turn_until_);
}

bool Reserving::time_is_over() const {
  const auto until = waits_ == Waits::turn ? turn_until_ : outcome_until_;
  return SteadyClock::now() >= until;
}

/// Waits until it is woken, or until it is time to query the database.
void Reserving::wait(Waits what, SteadyClock::time_point until) {
  if (!room_) {
    room_.emplace(work_.room.enter(request_->bytes_kept));
    if (!*room_) {
      waits_ = what;
      time_over();
      return;
    }
  }
  if (waits_ != what) {
    stop_waiting();
    waits_ = what;
    what == Waits::turn ? work_.turns.add(request_->entity->key.bytes, place_)
                        : work_.outcomes.add(fingerprint_.bytes, place_);
    // An outcome before this entry existed has not woken it, so query once more.
    ask();
    return;
  }
  if (time_is_over()) {
    time_over();
    return;
  }
  if (woken_) {
    ask();
    return;
  }
  const auto left = std::chrono::ceil<milliseconds>(until - SteadyClock::now());
  // Without notifications the database is queried more often. The more calls wait, the longer the
  // pause, because the database may be overloaded already: a thousand queries per second in total,
  // or each call once in `poll`.
  const milliseconds sooner = std::max(work_.tuning.poll / 10, milliseconds(work_.room.calls()));
  const milliseconds pause =
      work_.hears.load() ? work_.tuning.poll : std::min(work_.tuning.poll, sooner);
  timer_ = channel_.loop().timer(std::min(left, pause), [this] {
    timer_.reset();
    if (asking_ || call_ == nullptr) return;
    time_is_over() ? time_over() : ask();
  });
}

void Reserving::woken() {
  (waits_ == Waits::turn ? work_.turns : work_.outcomes).resumed(place_);
  if (call_ == nullptr) {
    dispose();
    return;
  }
  woken_ = true;
  if (asking_ || timer_ == nullptr) return;
  timer_.reset();
  // A call that was woken earlier may have put the answer into memory.
  if (waits_ == Waits::outcome) {
    if (auto known = known_here(work_, *request_);
        known && std::holds_alternative<Completed>(*known)) {
      finish(std::move(*known));
      return;
    }
  }
  ask();
}

void Reserving::time_over() {
  if (waits_ == Waits::turn) {
    finish(NoTurn{});
  } else {
    finish(InFlight{ended_});
  }
}

void Reserving::stop_waiting() {
  timer_.reset();
  if (waits_ == Waits::turn) {
    work_.turns.remove(queued_ ? queued_->bytes : request_->entity->key.bytes, place_);
  } else if (waits_ == Waits::outcome) {
    work_.outcomes.remove(fingerprint_.bytes, place_);
  }
}

/// Gives up the place in the queue, and notifies the call that is first now.
void Reserving::leave_queue() {
  if (!queued_) return;
  const EntityKey key = *std::exchange(queued_, std::nullopt);
  OneQuery::send(
      channel_, Statement::leave_queue, work_.options.operation_timeout,
      [key, nonce = nonce_](pq::Params& params) {
        params.digest(key);
        params.nonce(nonce);
      },
      [&work = work_, &channel = channel_, key](const Reply& reply) {
        if (!reply.good()) return;  // the place ends by itself
        work.turns.wake(key.bytes);
        tell_others(channel, work.options, telling::turn, key);
      });
}

}  // namespace onceproxy::store
