// Waiter: a call of reserve that waits for the outcome of another reservation or for its entity's
// turn. While it waits it owns itself. It stands in a list of the table it waits at, whose mutex
// guards the list, the waiter's link in it and what the table hands it; everything else belongs to
// the thread of the call's loop. The caller that takes it out of its list delivers it to that loop,
// where `resume` takes ownership and continues the call. A Waiter is otherwise not thread-safe.
#pragma once

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <memory>
#include <utility>

#include "store/call.hpp"
#include "store/record.hpp"
#include "store/request.hpp"
#include "store/result.hpp"
#include "store/waiting_room.hpp"

namespace onceproxy::store {

/// A reserve under way, and what it has in hand so far.
struct ReserveAttempt {
  const ReserveRequest& request;
  Call<ReserveResult>& call;
  bool claim = false;   ///< its fingerprint's entry is the caller's
  bool entity = false;  ///< it is a user of its entity
  bool turn = false;    ///< and has the turn
};

class Reserver;

class Waiter : public CallBase, public ReserveAttempt, public boost::intrusive::list_base_hook<> {
 public:
  Waiter(const ReserveAttempt& attempt, Reserver& where, WaitingRoom::Place room)
      : ReserveAttempt(attempt), reserver(where), place(std::move(room)) {}

  Reserver& reserver;
  const WaitingRoom::Place place;
  std::unique_ptr<Timer> timer;
  /// Its time to wait for another's outcome is over: it takes what it is given, and waits no more.
  bool time_over = false;
  std::chrono::steady_clock::time_point queued_at{};
  /// What it waits for will not be remembered; it came before that was so, and is to be answered
  /// with `outcome` once there is one. The table's, as the list is.
  bool of_ended = false;
  std::shared_ptr<const Record> outcome;
};

/// Waits to keep an entity from being closed. As a Waiter it owns itself, and is delivered to
/// `loop`.
class HoldWaiter : public CallBase, public boost::intrusive::list_base_hook<> {
 public:
  explicit HoldWaiter(Loop& home) : loop(home) {}
  Loop& loop;
  /// It keeps it from being closed now.
  bool held = false;
};

/// In order of arrival; owns nothing. Not thread-safe.
class WaiterList {
 public:
  bool empty() const { return waiters_.empty(); }
  std::size_t size() const { return waiters_.size(); }

  void push_back(Waiter& waiter) { waiters_.push_back(waiter); }
  /// Null if it is empty.
  Waiter* pop_front() {
    if (waiters_.empty()) return nullptr;
    Waiter& waiter = waiters_.front();
    waiters_.pop_front();
    return &waiter;
  }
  /// False if it is in no list (any more).
  bool remove(Waiter& waiter) {
    if (!waits(waiter)) return false;
    waiters_.erase(waiters_.iterator_to(waiter));
    return true;
  }
  static bool waits(const Waiter& waiter) { return waiter.is_linked(); }
  /// Those that wait now came before the operation was ended.
  void mark_ended() {
    for (Waiter& waiter : waiters_) waiter.of_ended = true;
  }

 private:
  boost::intrusive::list<Waiter> waiters_;
};

using HoldWaiterList = boost::intrusive::list<HoldWaiter>;

}  // namespace onceproxy::store
