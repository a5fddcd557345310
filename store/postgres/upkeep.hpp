// Upkeep: what an instance does besides its requests, on the store's own channel. It renews the
// leases of its reservations and ends those that it could not renew, writes its sign of life,
// checks the server's settings, probes a database that did not answer, removes expired rows, and
// writes counts and notes.
//
// Thread-safety: counts() may be called from any thread, everything else on the channel's loop.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "store/note_table.hpp"
#include "store/postgres/channel.hpp"
#include "store/postgres/ledger_upkeep.hpp"
#include "store/postgres/server_clock.hpp"
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
  Upkeep(Work& work, Channel& house, Unwritten& retained, NoteTable& notes, LedgerUpkeep& ledger,
         Flags& flags);

  void start();
  /// Stops, and notifies the other instances that this one has ended. `done` runs after the
  /// notification, or when it has failed.
  void stop(std::function<void()> done);

  RecordCounts counts() const;

 private:
  using SteadyClock = BootClock;

  void tick();
  void wait();
  void renew();
  void renew(std::vector<Holdings::Due> batch);
  void probe();
  void beat();
  void look();
  void looked(const Reply& reply);
  void sweep();
  void count();
  void write_duplicates();
  void write_notes();

  Work& work_;
  Channel& house_;
  Unwritten& retained_;
  NoteTable& notes_;
  std::size_t notes_under_way_ = 0;
  bool notes_good_ = true;
  LedgerUpkeep& ledger_;
  Flags& flags_;
  ServerClock server_clock_;
  /// What the last look has found: the end of the log, of which run of which server, and
  /// Circuit::failures().
  std::uint64_t log_end_ = 0;
  std::int64_t epoch_ = 0;
  unsigned failures_ = 0;
  std::unique_ptr<Timer> timer_;
  bool stopped_ = false;
  std::size_t renewing_ = 0;
  /// Channel::listeners() when the leases were last doubted.
  std::size_t listeners_ = 0;
  bool probing_ = false;
  bool beating_ = false;
  bool sweeping_ = false;
  /// Pages of each table that one sweep looks at.
  int sweep_pages_;
  SteadyClock::time_point next_beat_{};
  SteadyClock::time_point next_probe_{};
  SteadyClock::time_point next_retry_{};
  SteadyClock::time_point next_count_{};
  mutable std::mutex mutex_;
  RecordCounts counts_;
};

}  // namespace onceproxy::store
