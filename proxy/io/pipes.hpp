// Pipes: what lets the kernel move bytes from one socket to another without a copy of them in this
// process (splice(2)). A worker has a few, since each costs two descriptors and pins the pages in
// it.
//
// Bounds: `used_max` hold bytes at a time, `pipe_bytes` each. As many are kept empty for later,
// until trim() finds that they were not needed. A transfer that gets none reads into memory
// instead. Not thread-safe: one event loop.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace onceproxy::io {

class Pipes {
 public:
  /// Larger ones gain little, and the kernel gives a user's pipes 64 MiB together (pipe(7)).
  static constexpr std::size_t pipe_bytes = 256 * 1024;
  static constexpr std::size_t used_max = 32;

  Pipes() = default;
  ~Pipes();
  Pipes(const Pipes&) = delete;
  Pipes& operator=(const Pipes&) = delete;

  /// How many hold bytes, or are about to.
  std::size_t used() const { return used_; }
  std::size_t kept() const { return kept_.size(); }
  /// Closes those that were kept, and not used, since the call before. To be called now and then.
  void trim();

 private:
  friend class Piped;
  struct Ends {
    int exit = -1;
    int entry = -1;
  };

  /// An empty one, which is asked for no bytes; none if the bound is reached or the kernel gives
  /// none.
  Ends take();
  void give_back(Ends ends, bool empty);

  static void close(const Ends& ends);

  /// The one that was used last is the last.
  std::vector<Ends> kept_;
  /// How many of the first were not used since trim().
  std::size_t unused_ = 0;
  std::size_t used_ = 0;
};

/// The bytes of one transfer that are in a pipe. There is a pipe only while there are bytes: so one
/// that waits for its peer keeps none from others. What is still in it when this ends is lost.
class Piped {
 public:
  explicit Piped(Pipes& pipes) : pipes_(pipes) {}
  Piped(const Piped&) = delete;
  Piped& operator=(const Piped&) = delete;
  ~Piped() { drop(); }

  std::size_t bytes() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }

  // For streams:
  /// False: there is no pipe to be had.
  bool open();
  int entry() const { return ends_.entry; }
  int exit() const { return ends_.exit; }
  void came(std::size_t bytes) { bytes_ += bytes; }
  /// Gives the pipe back with the last byte.
  void went(std::size_t bytes) {
    bytes_ -= bytes;
    if (bytes_ == 0) drop();
  }
  /// Nothing came: others may use the pipe.
  void drop();

 private:
  Pipes& pipes_;
  Pipes::Ends ends_;
  std::size_t bytes_ = 0;
};

}  // namespace onceproxy::io
