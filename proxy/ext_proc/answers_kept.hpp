// AnswersKept: one bound on what the answers that are being kept for replays take in memory, over
// all workers. An answer that finds no room is remembered without its body.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>

namespace onceproxy::ext_proc {

class AnswersKept {
 public:
  /// Holds as much as there is until a bound is set.
  void set_limit(std::size_t bytes_max) { bytes_max_ = bytes_max; }

  /// One answer's part; given back with it.
  class Part {
   public:
    explicit Part(AnswersKept& all) : all_(all) {}
    ~Part() { all_.bytes_ -= bytes_; }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

    /// False: there is no room for so many bytes more.
    bool grow(std::size_t bytes) {
      all_.bytes_ += bytes;
      bytes_ += bytes;
      return all_.bytes_ <= all_.bytes_max_;
    }

   private:
    AnswersKept& all_;
    std::size_t bytes_ = 0;
  };

 private:
  std::atomic<std::size_t> bytes_ = 0;
  std::atomic<std::size_t> bytes_max_ = static_cast<std::size_t>(-1);
};

}  // namespace onceproxy::ext_proc
