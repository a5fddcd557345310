// AuditLog: the durable account of what was forwarded and how it ended, what was not forwarded and
// why, and what operators did. Two series of files: a storm of duplicates can push out refusals,
// but never what was forwarded.
//
// It never stops traffic. What it cannot write is dropped, counted and reported, and it tries again
// a second later. What it says is read by find() (audit_query.hpp).
//
// Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "store/audit/entry.hpp"
#include "store/audit/options.hpp"
#include "store/audit/series.hpp"
#include "store/clock.hpp"

namespace onceproxy::store {

class AuditLog {
 public:
  /// Hears what went wrong, at most about once a second; must be quick and must not throw.
  using Failed = std::function<void(std::string_view detail)>;

  /// Opens or creates the directory, which one process owns. Throws std::runtime_error with a
  /// message that names it and the remedy. `clock` must outlive it.
  AuditLog(std::filesystem::path directory, const AuditOptions& options, const Clock& clock,
           Failed failed);
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  /// Forwards and endings, encoded. They outlive the process when this returns, and the machine
  /// about a second later.
  void write(std::string_view entries, std::size_t count);

  /// Refusals, encoded. Written soon; dropped if too many wait.
  void hand_over(std::string entries, std::size_t count);

  /// An operator's action, now. Written soon.
  void act(AuditAction action);
  /// The ending of a forward that no write to the database belongs to. Written soon.
  void end(const AuditEnding& ending);

  /// Writes and syncs what is under way. What comes later is dropped. Idempotent.
  void close();

  const AuditSeries& forwards() const { return forwards_.series; }
  const AuditSeries& refusals() const { return refusals_.series; }
  /// Older entries are as good as gone, whether their file is still there or not.
  WallTime oldest() const { return clock_.now() - options_.retention; }
  WallTime now() const { return clock_.now(); }

  std::uint64_t bytes() const { return forwards_.series.bytes() + refusals_.series.bytes(); }
  /// Entries that were lost since the start.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  /// A series, and when it may be tried again after a failure.
  struct Outlet {
    AuditSeries series;
    std::mutex mutex;
    std::chrono::steady_clock::time_point next_attempt{};
  };
  struct Batch {
    Outlet& outlet;
    std::string entries;
    std::size_t count;
  };

  void run();
  void put(Outlet& outlet, std::string_view entries, std::size_t count);
  void enqueue(Outlet& outlet, std::string entries, std::size_t count);
  void write_waiting(std::unique_lock<std::mutex>& lock);
  bool knows_ages() const;
  void keep_house();
  void report(std::string_view detail) const;

  const AuditOptions options_;
  const Clock& clock_;
  const Failed failed_;
  Outlet forwards_;
  Outlet refusals_;
  std::atomic<std::uint64_t> dropped_{0};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Batch> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace onceproxy::store
