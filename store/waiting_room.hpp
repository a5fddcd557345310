// WaitingRoom: limits the number of calls that wait for something, and the memory of their callers.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace onceproxy::store {

class WaitingRoom {
 public:
  WaitingRoom(std::size_t calls_max, std::size_t bytes_max)
      : calls_max_(calls_max), bytes_max_(bytes_max) {}

  /// One place; the destructor returns it.
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

  /// Nothing if there is no room.
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

}  // namespace onceproxy::store
