// Buffer: bytes read and not yet used, contiguous, growing to a limit on demand. Views into it stay
// valid until prepare() or shrink().
// Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace onceproxy::io {

class Buffer {
 public:
  static constexpr std::size_t initial_bytes = 4096;
  /// What shrink() lets a buffer keep.
  static constexpr std::size_t kept_bytes = 4 * initial_bytes;

  std::string_view view() const { return {memory_.get() + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }

  /// Drops the first `bytes`; at most size().
  void consume(std::size_t bytes) {
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }

  /// Room to read into, at least one byte and at most what keeps the whole within `bytes_max`;
  /// empty when the buffer holds that much already. Grows, or moves the bytes to the front, only
  /// when the room at the end is used up. Grows also when the last read used up all the room there
  /// was and was consumed since: a peer that sends a large body is read in ever larger pieces.
  struct Room {
    char* data = nullptr;
    std::size_t size = 0;
  };
  Room prepare(std::size_t bytes_max) {
    if (size() >= bytes_max) return {};
    if (end_ == capacity_ || (filled_ && empty() && capacity_ < bytes_max)) make_room(bytes_max);
    return {memory_.get() + end_, std::min(capacity_ - end_, bytes_max - size())};
  }
  void commit(std::size_t bytes) {
    end_ += bytes;
    filled_ = end_ == capacity_;
  }

  /// Gives back what a large message needed. Only while empty.
  void shrink() {
    if (capacity_ <= kept_bytes) return;
    memory_.reset();
    begin_ = end_ = capacity_ = 0;
    filled_ = false;
  }

 private:
  void make_room(std::size_t bytes_max) {
    if (begin_ > 0 && size() <= capacity_ / 2) {
      std::memmove(memory_.get(), memory_.get() + begin_, size());
    } else {
      const std::size_t wanted = std::max(initial_bytes, std::min(2 * capacity_, 2 * bytes_max));
      auto memory = std::make_unique_for_overwrite<char[]>(wanted);
      if (!empty()) std::memcpy(memory.get(), memory_.get() + begin_, size());
      memory_ = std::move(memory);
      capacity_ = wanted;
    }
    end_ -= begin_;
    begin_ = 0;
  }

  std::unique_ptr<char[]> memory_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  /// The last commit used up the room at the end.
  bool filled_ = false;
};

}  // namespace onceproxy::io
