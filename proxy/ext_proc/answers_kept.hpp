// AnswersKept: limits the memory of all answers that are being captured for replays, over all
// workers. If there is no room for an answer, it is remembered without its body. Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>

namespace onceproxy::ext_proc {

class AnswersKept {
 public:
  /// There is no limit until one is set.
  void set_limit(std::size_t bytes_max) { bytes_max_ = bytes_max; }

  /// The share of one answer; it is returned when the object is destroyed.
  class Part {
   public:
    explicit Part(AnswersKept& all) : all_(all) {}
    ~Part() { all_.bytes_ -= bytes_; }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

    /// Returns false if there is no room for this many more bytes.
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
