// Arenas: the memory for messages that are being handled. A stream that waits for its next message
// holds no memory here, so long waits cost little. Blocks that were used last are used first,
// because they are still in the CPU caches. Not thread-safe: used on its worker's loop.
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
  /// Large enough for most heads and their replies.
  static constexpr std::size_t block_bytes = 8 * 1024;
  /// The maximum number of unused blocks that are kept.
  static constexpr std::size_t kept_max = 64;

  struct Block {
    alignas(std::max_align_t) std::array<char, block_bytes> bytes;
  };

  /// The arena of one stream. It exists between begin() and end().
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
    /// Destroys all messages that were made in it.
    void end() {
      if (!arena_) return;
      arena_.reset();
      all_.give_back(std::move(block_));
    }
    /// Makes an empty message. Only between begin() and end().
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
