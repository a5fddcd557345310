// Unwritten: outcomes that could not be written in time, and reservations that may have been made
// for nobody. They are written when the database answers again, until their leases end; then nobody
// may say any more what became of them. Bounded in number and bytes; what finds no room is lost,
// and its operation is left to its lease.
//
// Thread-safety: keep() and undo() from any thread; the rest on the house channel's loop.
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

  /// After the work that everything else is made of.
  void begin(Work& work) { work_ = &work; }
  void keep(std::unique_ptr<Settling> outcome);
  /// A reservation that nobody was told of is released, should it be there; not before `from`.
  void undo(const Fingerprint& fingerprint, const Nonce& nonce,
            std::chrono::steady_clock::time_point from,
            std::chrono::steady_clock::time_point lease_ends);
  /// Sends all of them once more whose time has come, or gives them up. Called now and then.
  void retry();
  bool empty() const;
  /// Gives up all of them.
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
