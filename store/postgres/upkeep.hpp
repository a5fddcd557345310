// Upkeep: what an instance does beside its requests, on the house channel: it renews the leases of
// its reservations and ends those that it could not, shows that it lives, looks at the server's
// settings, probes a database that did not answer, removes what has expired, and writes what is
// counted and noted.
//
// Thread-safety: counts() from any thread; everything else on the house channel's loop.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "store/postgres/channel.hpp"
#include "store/postgres/shared_notes.hpp"
#include "store/postgres/unwritten.hpp"
#include "store/postgres/work.hpp"
#include "store/record_counts.hpp"

namespace onceproxy::store {

class Upkeep {
 public:
  struct Flags {
    std::atomic<bool> unsafe{false};
    std::atomic<bool> hears{false};
    std::atomic<std::uint64_t> table_bytes{0};
    std::atomic<std::uint64_t> records_estimate{0};
  };
  Upkeep(Work& work, Channel& house, Unwritten& retained, SharedNotes& notes, Flags& flags);

  void start();
  /// Ends it, and tells the other instances; `done` runs when they know, or cannot be told.
  void stop(std::function<void()> done);

  RecordCounts counts() const;

 private:
  using SteadyClock = std::chrono::steady_clock;

  void tick();
  void wait();
  void renew();
  void renew(std::vector<Holdings::Due> batch);
  void probe();
  void beat();
  void look();
  void sweep();
  void count();
  void write_duplicates();
  void write_notes();

  Work& work_;
  Channel& house_;
  Unwritten& retained_;
  SharedNotes& notes_;
  Flags& flags_;
  std::unique_ptr<Timer> timer_;
  bool stopped_ = false;
  std::size_t renewing_ = 0;
  bool probing_ = false;
  bool beating_ = false;
  bool sweeping_ = false;
  SteadyClock::time_point next_beat_{};
  SteadyClock::time_point next_probe_{};
  SteadyClock::time_point next_retry_{};
  SteadyClock::time_point next_count_{};
  mutable std::mutex mutex_;
  RecordCounts counts_;
};

}  // namespace onceproxy::store
