// Confirmer: lets answers wait until the synchronous standbys have the row that the answer repeats.
// One statement at a time asks for the position of the standbys, for all waiting answers together.
// The wait is bounded, whether that statement is answered or not.
//
// A position in the write-ahead log belongs to one run of one server (Server::epoch). After a
// failover another server answers, for which the position means nothing; those that wait must then
// ask the database again.
//
// Thread-safety: wait() may be called from any thread, everything else on the loop of the store's
// own channel.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "store/call.hpp"
#include "store/postgres/channel.hpp"

namespace onceproxy::store {

/// One answer that waits. It is resumed on its loop, with the outcome.
struct Confirmation : CallBase {
  explicit Confirmation(Loop& its_loop) : home(its_loop) {}

  enum class Outcome { confirmed, unconfirmed, elsewhere };

  Loop& home;
  /// The position in the write-ahead log; 0: its end at the time of the next look.
  std::uint64_t lsn = 0;
  std::int64_t epoch = 0;
  BootClock::time_point until{};
  Outcome outcome = Outcome::unconfirmed;
};

class Confirmer {
 public:
  /// `house` is the store's own channel; it is closed before this object is destroyed.
  Confirmer(Channel& house, const PostgresTuning& tuning, Counters& counters);
  Confirmer(const Confirmer&) = delete;
  Confirmer& operator=(const Confirmer&) = delete;

  void wait(Confirmation& confirmation);
  /// Ends all waits with the outcome `unconfirmed`.
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
  // Used on the loop's thread only.
  std::vector<Confirmation*> waiting_;
  /// The statement under way; it owns itself.
  Look* look_ = nullptr;
  std::unique_ptr<Timer> pause_;
};

}  // namespace onceproxy::store
