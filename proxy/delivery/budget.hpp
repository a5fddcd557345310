// Budget: the limit of attempts that may be under way in total. Each listener has a reserved share,
// so a slow listener, whose attempts take long, cannot prevent another one from beginning. Not
// thread-safe: used on one event loop.
#pragma once

#include <algorithm>
#include <cstddef>

namespace onceproxy::delivery {

class Budget {
 public:
  explicit Budget(std::size_t limit) : limit_(limit) {}

  void set_listeners(std::size_t count) {
    share_ = std::max<std::size_t>(1, limit_ / std::max<std::size_t>(1, 2 * count));
  }
  /// `own`: the number of attempts of this listener that are under way.
  bool try_take(std::size_t own) {
    if (used_ >= limit_ && own >= share_) return false;
    ++used_;
    return true;
  }
  void give_back() { --used_; }
  std::size_t used() const { return used_; }
  bool full() const { return used_ >= limit_; }

 private:
  const std::size_t limit_;
  std::size_t share_ = 1;
  std::size_t used_ = 0;
};

}  // namespace onceproxy::delivery
