// The part of Reserver for calls that cannot continue now: they wait for the outcome of another
// call, or for a turn.
#include <utility>

#include "store/rocksdb/reserver.hpp"

namespace onceproxy::store {

using SteadyClock = std::chrono::steady_clock;

/// Makes sure of a waiter, with a timer for `time`. False if there is no room, or no timer: then
/// the call's time counts as over.
bool Reserver::prepare(const ReserveAttempt& attempt, WaiterPtr& waiter,
                       std::chrono::milliseconds time, void (Reserver::*expired)(Waiter&)) {
  if (waiter == nullptr) {
    auto place = room_.enter(attempt.request.bytes_kept);
    if (!place) return false;
    waiter = std::make_unique<Waiter>(attempt, *this, std::move(place));
    waiter->resume = [](CallBase& base) {
      auto& self = static_cast<Waiter&>(base);
      self.reserver.delivered(WaiterPtr(&self));
    };
  }
  Waiter* const self = waiter.get();
  waiter->timer = attempt.call.loop.timer(time, [this, self, expired] { (this->*expired)(*self); });
  return waiter->timer != nullptr;
}

/// Another has the fingerprint. Nothing if it has gone meanwhile.
Reserver::Stop Reserver::wait_for_outcome(ReserveAttempt& attempt, WaiterPtr& waiter) {
  const ReserveRequest& request = attempt.request;
  const auto in_flight = [&] {
    return refuse(attempt, InFlight{parts_.reservations.is_ended(request.fingerprint)});
  };
  if (request.wait <= std::chrono::milliseconds(0)) return in_flight();
  if (waiter == nullptr) {
    if (!prepare(attempt, waiter, request.wait, &Reserver::outcome_time_over)) return in_flight();
  } else if (waiter->time_over) {
    return in_flight();
  }
  switch (parts_.reservations.park(request.fingerprint, request.payload, *waiter)) {
    case Reservations::Parked::yes:
      static_cast<void>(waiter.release());
      return Step::waits;
    case Reservations::Parked::mismatch:
      return refuse(attempt, Mismatch{});
    case Reservations::Parked::gone:
      break;
  }
  return std::nullopt;
}

/// The claim is kept meanwhile: duplicates wait behind it, or are answered as in flight.
Reserver::Step Reserver::queue_for_turn(ReserveAttempt& attempt, WaiterPtr& waiter, WallTime now) {
  const EntityTerms& terms = *attempt.request.entity;
  attempt.call.turn_wait = std::chrono::nanoseconds(0);
  if (*terms.turn <= std::chrono::milliseconds(0)) return refuse(attempt, NoTurn{});
  // In a waiter of an earlier wait, the time for the outcome ends here.
  if (!prepare(attempt, waiter, *terms.turn, &Reserver::turn_time_over)) {
    return refuse(attempt, NoTurn{});
  }
  waiter->claim = true;
  waiter->queued_at = SteadyClock::now();
  switch (parts_.entities.enter(terms, now, waiter.get())) {
    case Entities::Entered::queued:
      static_cast<void>(waiter.release());
      return Step::waits;
    case Entities::Entered::yes:
      waiter->timer.reset();
      attempt.entity = attempt.turn = true;
      return look(attempt, waiter, now);
    case Entities::Entered::failed:
      return refuse(attempt, Unavailable{Unavailable::Reason::failed});
    case Entities::Entered::corrupt:
      return refuse(attempt, Unavailable{Unavailable::Reason::corrupt});
    case Entities::Entered::busy:  // nobody waits any more
      return refuse(attempt, Unavailable{Unavailable::Reason::closing});
    case Entities::Entered::full:
      break;
  }
  return refuse(attempt, NoTurn{});
}

/// What it waited for was done, and is remembered nowhere but here.
Reserver::Step Reserver::repeat_outcome(ReserveAttempt& attempt, const Record& record) {
  return refuse(attempt, Completed{record.answer, record.settled, record.trace});
}

/// On the loop's thread, as everything a timer does.
void Reserver::outcome_time_over(Waiter& waiter) {
  waiter.time_over = true;
  if (!parts_.reservations.give_up(waiter.request.fingerprint, waiter)) return;
  WaiterPtr owned(&waiter);  // it is in no list, and nothing else owns it
  Call<ReserveResult>& call = waiter.call;
  refuse(waiter, InFlight{});
  owned.reset();
  call.resume(call);
}

void Reserver::turn_time_over(Waiter& waiter) {
  if (!parts_.entities.give_up(waiter.request.entity->key, waiter)) return;
  WaiterPtr owned(&waiter);
  Call<ReserveResult>& call = waiter.call;
  call.turn_wait = SteadyClock::now() - waiter.queued_at;
  refuse(waiter, NoTurn{});
  owned.reset();
  call.resume(call);
}

/// What it waited for is there: the claim, the turn, an answer on disk, or the end of waiting.
void Reserver::delivered(WaiterPtr waiter) {
  ReserveAttempt& attempt = *waiter;
  Call<ReserveResult>& call = attempt.call;
  if (attempt.claim) waiter->timer.reset();
  if (attempt.entity) call.turn_wait = SteadyClock::now() - waiter->queued_at;
  const Step step = waiter->outcome != nullptr ? repeat_outcome(attempt, *waiter->outcome)
                                               : go_on(attempt, waiter);
  if (step != Step::answered) return;
  waiter.reset();
  call.resume(call);
}

}  // namespace onceproxy::store
