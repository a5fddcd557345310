// Confirmer: waits until the synchronous standbys have what an answer stands on. One statement at a
// time asks how far they are, for all that wait. Nobody waits beyond a bound, whether that
// statement is answered or not.
//
// A place in the log belongs to one run of one server (Server::epoch). After a failover another one
// answers, and says nothing about it: whoever waits must ask again.
//
// Thread-safety: wait() from any thread; the rest on the house channel's loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "store/call.hpp"
#include "store/postgres/channel.hpp"

namespace onceproxy::store {

/// One answer that waits. Resumed on its loop, with the outcome.
struct Confirmation : CallBase {
  explicit Confirmation(Loop& its_loop) : home(its_loop) {}

  enum class Outcome { confirmed, unconfirmed, elsewhere };

  Loop& home;
  /// The place in the log; 0: wherever it is by the time that somebody looks.
  std::uint64_t lsn = 0;
  std::int64_t epoch = 0;
  std::chrono::steady_clock::time_point until{};
  Outcome outcome = Outcome::unconfirmed;
};

class Confirmer {
 public:
  /// `house` is closed before this is destroyed.
  Confirmer(Channel& house, const PostgresTuning& tuning, Counters& counters);
  Confirmer(const Confirmer&) = delete;
  Confirmer& operator=(const Confirmer&) = delete;

  void wait(Confirmation& confirmation);
  /// Nobody waits any more: all are told that it is not confirmed.
  void close();

 private:
  class Look;

  void look();
  void looked(const Reply& reply);
  void again();
  void expire();
  void watch_time();
  void given_up();
  void take_arrivals();

  Channel& house_;
  const PostgresTuning& tuning_;
  Counters& counters_;
  std::mutex mutex_;
  std::vector<Confirmation*> arriving_;
  bool closed_ = false;
  // The loop's own.
  std::vector<Confirmation*> waiting_;
  /// The one under way; it owns itself.
  Look* look_ = nullptr;
  std::unique_ptr<Timer> pause_;
};

}  // namespace onceproxy::store
