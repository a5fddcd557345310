// Waiter: a reserve that waits, for what becomes of another's reservation or for its entity's turn.
// It stands in a list of the table it waits at, whose mutex guards the list, `linked` and what the
// table hands it; everything else belongs to the thread of the call's loop. Whoever takes it out of
// its list delivers it to that loop, where `resume` goes on with the reserve.
//
// WaitingRoom bounds how many wait and what they keep. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>

#include "store/store.hpp"

namespace onceproxy::store {

class WaitingRoom {
 public:
  WaitingRoom(std::size_t calls_max, std::size_t bytes_max)
      : calls_max_(calls_max), bytes_max_(bytes_max) {}

  /// One place, given back with its destructor.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : room_(std::exchange(other.room_, nullptr)), bytes_(other.bytes_) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (room_ != nullptr) room_->leave(bytes_);
    }
    explicit operator bool() const { return room_ != nullptr; }

   private:
    friend class WaitingRoom;
    Place(WaitingRoom& room, std::size_t bytes) : room_(&room), bytes_(bytes) {}
    WaitingRoom* room_ = nullptr;
    std::size_t bytes_ = 0;
  };

  /// None where there is no room.
  Place enter(std::size_t bytes) {
    const bool calls_fit = calls_.fetch_add(1, std::memory_order_relaxed) < calls_max_;
    const bool bytes_fit = bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= bytes_max_;
    if (calls_fit && bytes_fit) return {*this, bytes};
    leave(bytes);
    return {};
  }
  std::size_t calls() const { return calls_.load(std::memory_order_relaxed); }
  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  void leave(std::size_t bytes) {
    calls_.fetch_sub(1, std::memory_order_relaxed);
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  }

  const std::size_t calls_max_;
  const std::size_t bytes_max_;
  std::atomic<std::size_t> calls_{0};
  std::atomic<std::size_t> bytes_{0};
};

/// A reserve under way, and what it has in hand so far.
struct Attempt {
  const ReserveRequest& request;
  Call<ReserveResult>& call;
  bool claim = false;   ///< its fingerprint's entry is the caller's
  bool entity = false;  ///< it is a user of its entity
  bool turn = false;    ///< and has the turn
};

class Entrance;

class Waiter : public CallBase, public Attempt {
 public:
  Waiter(const Attempt& attempt, Entrance& where, WaitingRoom::Place room)
      : Attempt(attempt), entrance(where), place(std::move(room)) {}

  Entrance& entrance;
  const WaitingRoom::Place place;
  std::unique_ptr<Timer> timer;
  /// Its time to wait for another's outcome is over: it takes what it is given, and waits no more.
  bool time_over = false;
  std::chrono::steady_clock::time_point queued_at{};

 private:
  friend class WaiterList;
  bool linked_ = false;
  Waiter* before_ = nullptr;
  Waiter* after_ = nullptr;
};

/// In order of arrival; owns nothing. Not thread-safe.
class WaiterList {
 public:
  bool empty() const { return first_ == nullptr; }
  std::size_t size() const { return size_; }

  void push_back(Waiter& waiter) {
    waiter.linked_ = true;
    waiter.before_ = last_;
    waiter.after_ = nullptr;
    (last_ == nullptr ? first_ : last_->after_) = &waiter;
    last_ = &waiter;
    ++size_;
  }
  /// Null where it is empty.
  Waiter* pop_front() {
    Waiter* const waiter = first_;
    if (waiter != nullptr) remove(*waiter);
    return waiter;
  }
  /// False where it is in no list (any more).
  bool remove(Waiter& waiter) {
    if (!waiter.linked_) return false;
    (waiter.before_ == nullptr ? first_ : waiter.before_->after_) = waiter.after_;
    (waiter.after_ == nullptr ? last_ : waiter.after_->before_) = waiter.before_;
    waiter.linked_ = false;
    --size_;
    return true;
  }
  static bool waits(const Waiter& waiter) { return waiter.linked_; }

 private:
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace onceproxy::store
