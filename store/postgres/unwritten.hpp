// Unwritten: outcomes that could not be written in time, and reservations that may have been made
// although their call was answered as failed. They are written when the database answers again.
// After the end of a lease this instance may not write the outcome any more, and gives it up.
// Bounded in number and bytes; what exceeds the bounds is given up at once, so that its operation
// ends with its lease.
//
// Thread-safety: keep() and undo() may be called from any thread, everything else on the loop of
// the store's own channel.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "store/postgres/channel.hpp"
#include "store/postgres/settling.hpp"

namespace onceproxy::store {

class Unwritten {
 public:
  explicit Unwritten(Channel& house) : house_(house) {}

  /// To be called once, when `work` exists, before anything else.
  void begin(Work& work) { work_ = &work; }
  void keep(std::unique_ptr<Settling> outcome);
  /// Releases a reservation whose call was answered as failed, if it exists; not before `from`.
  void undo(const Fingerprint& fingerprint, const Nonce& nonce, BootClock::time_point from,
            BootClock::time_point lease_ends);
  /// Sends those again whose time has come, or gives them up. Called regularly.
  void retry();
  bool empty() const;
  /// Gives up all of them and accepts no more.
  void close();

 private:
  Channel& house_;
  Work* work_ = nullptr;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Settling>> kept_;
  std::size_t bytes_ = 0;
  bool closed_ = false;
};

}  // namespace onceproxy::store
