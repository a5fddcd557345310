// The counters of one worker, as a scrape reads them. Private to this folder.
//
// Thread-safety: each counter is written only by the worker's thread and read by any. A policy's
// counters are created by the thread that numbers the policy, before a worker knows the number.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "proxy/gate/decision.hpp"
#include "proxy/telemetry/histogram.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::telemetry {

/// "1xx" to "5xx", and no HTTP answer.
inline constexpr std::array<std::string_view, 6> code_classes{"error", "1xx", "2xx",
                                                              "3xx",   "4xx", "5xx"};

/// Indexed by Ending.
inline constexpr std::array<std::string_view, 5> endings{"completed", "released", "not-sent",
                                                         "unknown", "unsaved"};

/// Indexed by Unprotected.
inline constexpr std::array<std::string_view, 5> unprotected_reasons{
    "off", "percent", "missing-key", "store-error", "unreadable"};

/// Indexed by NearMiss.
inline constexpr std::array<std::string_view, 4> near_miss_reasons{"method", "header", "condition",
                                                                   "path"};

/// Indexed by Buffered.
inline constexpr std::array<std::string_view, buffered_count> buffers{"bodies", "answers",
                                                                      "waiters"};

/// Indexed by AbandonedEnd.
inline constexpr std::array<std::string_view, 4> abandoned_ends{"answered", "closed", "timeout",
                                                                "stopped"};

/// One worker's counters of one policy, aligned so that no two workers share a cache line.
struct alignas(64) PolicyCounters {
  /// Their counts are also requests_total.
  std::array<Histogram<RequestTime>, gate::decision_count> requests;
  std::array<std::atomic<std::uint64_t>, gate::decision_count> shadow{};
  std::array<std::atomic<std::uint64_t>, code_classes.size()> upstream{};
  std::array<std::atomic<std::uint64_t>, endings.size()> operations{};
  std::array<std::atomic<std::uint64_t>, unprotected_reasons.size()> unprotected{};
  std::array<std::atomic<std::uint64_t>, near_miss_reasons.size()> near_misses{};
  Histogram<RequestTime> upstream_time;
  Histogram<RequestTime> latency_added;
  Histogram<RequestTime> entity_wait;
  Histogram<DuplicateAge> duplicate_age;
  /// It may be negative in one worker, because another worker may end what this one began.
  std::atomic<std::int64_t> reservations{0};
  std::atomic<std::uint64_t> leases_expired{0};
  std::atomic<std::uint64_t> permits_refused{0};
};

/// Words counted by one thread. A word with another form, or after the table is full, counts as
/// "other", so that clients cannot create labels.
class WordCounters {
 public:
  static constexpr std::size_t words_max = 64;
  struct Entry {
    std::string_view word;
    std::atomic<std::uint64_t> count{0};
  };

  void add(std::string_view word);
  /// Calls read(word, count) for each counted word.
  template <typename Read>
  void each(Read read) const {
    const std::size_t used = used_.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < used; ++i)
      read(entries_[i].word, entries_[i].count.load(std::memory_order_relaxed));
  }

 private:
  std::array<Entry, words_max> entries_;
  /// Entries below it have their word; it is released after the word was written.
  std::atomic<std::size_t> used_{0};
};

/// [a-z0-9_-]{1,40}
bool is_label_word(std::string_view word);

struct WorkerCounters {
  WorkerCounters();

  /// Not nullptr for a number that was assigned.
  std::array<std::atomic<PolicyCounters*>, policies_max> policies{};
  std::array<std::atomic<std::int64_t>, 2> connections{};
  std::atomic<std::int64_t> idle_connections{0};
  WordCounters bad_requests;
  WordCounters connection_defects;
  std::array<std::atomic<std::int64_t>, buffers.size()> buffered{};
  std::array<std::atomic<std::uint64_t>, buffers.size()> shed{};
  std::atomic<std::int64_t> abandoned{0};
  std::array<std::atomic<std::uint64_t>, abandoned_ends.size()> abandoned_ended{};
  std::atomic<std::uint64_t> reuses_lost{0};
  std::atomic<std::uint64_t> accept_errors{0};
  std::atomic<std::uint64_t> twins_dropped{0};

  /// Protected by the lock of the Metrics that it belongs to.
  void add_policy(PolicyId id);

  PolicyCounters& of(PolicyId id) {
    PolicyCounters* counters =
        id < policies_max ? policies[id].load(std::memory_order_acquire) : nullptr;
    return counters != nullptr ? *counters : *policies[no_policy].load(std::memory_order_relaxed);
  }

 private:
  std::vector<std::unique_ptr<PolicyCounters>> owned_;
};

struct WorkerMetrics::State : WorkerCounters {};

}  // namespace onceproxy::telemetry
