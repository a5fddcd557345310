// Arenas: the memory of messages that are at work. A stream that waits for its next message has
// none, so that streams which are held for long cost little, and the memory of those at work is
// that which was used last, and still in the caches.
// Not thread-safe: its worker's loop.
#pragma once

#include <google/protobuf/arena.h>

#include <array>
#include <cassert>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace onceproxy::ext_proc {

class Arenas {
 public:
  /// Enough for most heads and their replies.
  static constexpr std::size_t block_bytes = 8 * 1024;
  /// What is kept for later.
  static constexpr std::size_t kept_max = 64;

  struct Block {
    alignas(std::max_align_t) std::array<char, block_bytes> bytes;
  };

  /// The arena of one stream; there is one from begin() to end().
  class Arena {
   public:
    explicit Arena(Arenas& all) : all_(all) {}
    ~Arena() { end(); }
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    void begin() {
      end();
      block_ = all_.take();
      arena_.emplace(block_->bytes.data(), block_->bytes.size());
    }
    /// What was made in it is gone.
    void end() {
      if (!arena_) return;
      arena_.reset();
      all_.give_back(std::move(block_));
    }
    /// An empty message. Between begin() and end().
    template <typename Message>
    Message& make() {
      assert(arena_);
      return *google::protobuf::Arena::CreateMessage<Message>(&*arena_);
    }

   private:
    Arenas& all_;
    std::unique_ptr<Block> block_;
    std::optional<google::protobuf::Arena> arena_;
  };

 private:
  std::unique_ptr<Block> take() {
    if (free_.empty()) return std::make_unique_for_overwrite<Block>();
    std::unique_ptr<Block> block = std::move(free_.back());
    free_.pop_back();
    return block;
  }
  void give_back(std::unique_ptr<Block> block) {
    if (free_.size() < kept_max) free_.push_back(std::move(block));
  }

  std::vector<std::unique_ptr<Block>> free_;
};

}  // namespace onceproxy::ext_proc
