// Fences: numbers that only rise, across restarts too. Which were used is not written each time;
// a ceiling ahead of them is, and a restart continues above it. No number above the ceiling on disk
// may be answered: the committer puts a new ceiling into the very batch that holds the first
// reservation above the old one, and that batch is synced. take() is thread-safe; the rest belongs
// to the committer's thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

namespace onceproxy::store {

class Fences {
 public:
  /// A restart skips at most this many numbers.
  static constexpr std::uint64_t block = std::uint64_t{1} << 20;

  /// Before the first take(): every number up to `ceiling` may have been used.
  void start_above(std::uint64_t ceiling) {
    ceiling_ = ceiling;
    last_.store(ceiling, std::memory_order_relaxed);
  }

  std::uint64_t take() { return last_.fetch_add(1, std::memory_order_relaxed) + 1; }

  /// The ceiling to write with a group whose highest fence is `highest`, if it needs a new one.
  std::optional<std::uint64_t> ceiling_for(std::uint64_t highest) const {
    if (highest <= ceiling_) return std::nullopt;
    return highest + block;
  }
  void ceiling_written(std::uint64_t ceiling) { ceiling_ = ceiling; }

 private:
  std::atomic<std::uint64_t> last_{0};
  std::uint64_t ceiling_ = 0;
};

}  // namespace onceproxy::store
