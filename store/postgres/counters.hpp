// Counters: events that the shared store counts, from any thread; PostgresStats shows them.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace onceproxy::store {

struct Counters {
  using Count = std::atomic<std::uint64_t>;
  Count round_trips{0};
  Count connections{0};
  Count connects{0};
  Count connect_failures{0};
  Count queued{0};
  Count retries_connection{0};
  Count retries_conflict{0};
  Count retries_deadlock{0};
  Count retries_shutdown{0};
  Count retries_other{0};
  Count timeouts{0};
  Count replication_waits{0};
  Count replication_unconfirmed{0};
  Count cache_hits{0};
  Count notifications{0};
  Count leases_lost{0};
  Count retained{0};

  /// A statement is sent again after a failure of this kind (failure.hpp).
  void retry(std::string_view kind) {
    add(kind == "conflict"     ? retries_conflict
        : kind == "deadlock"   ? retries_deadlock
        : kind == "shutdown"   ? retries_shutdown
        : kind == "connection" ? retries_connection
                               : retries_other);
  }
  static void add(Count& count) { count.fetch_add(1, std::memory_order_relaxed); }
  static std::uint64_t get(const Count& count) { return count.load(std::memory_order_relaxed); }
};

}  // namespace onceproxy::store
