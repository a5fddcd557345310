// EventCache: the events that were delivered last. The listeners of one event then read it from the
// disk at most once. The size is limited in bytes; an event that is in use stays alive beyond the
// limit. Not thread-safe: used on one event loop.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <unordered_map>

#include "store/event.hpp"

namespace onceproxy::delivery {

class EventCache {
 public:
  explicit EventCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  void put(std::shared_ptr<const store::Event> event) {
    const std::size_t bytes = size_of(*event);
    const store::EventNumber number = event->number;
    if (bytes > bytes_max_ || !events_.emplace(number, std::move(event)).second) return;
    order_.push_back(number);
    bytes_ += bytes;
    while (bytes_ > bytes_max_) drop_oldest();
  }
  /// Returns nullptr if the event is not in the cache.
  std::shared_ptr<const store::Event> get(store::EventNumber number) const {
    const auto found = events_.find(number);
    return found == events_.end() ? nullptr : found->second;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  static std::size_t size_of(const store::Event& event) {
    return sizeof event + event.head.size() + event.body.size() + event.target.size();
  }
  void drop_oldest() {
    const auto oldest = events_.find(order_.front());
    order_.pop_front();
    bytes_ -= size_of(*oldest->second);
    events_.erase(oldest);
  }

  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::unordered_map<store::EventNumber, std::shared_ptr<const store::Event>> events_;
  std::deque<store::EventNumber> order_;
};

}  // namespace onceproxy::delivery
