// LedgerCounts: the number of deliveries of each listener in each state, and the size of the
// payloads. The committer changes the counts with each batch and writes the changed ones into the
// same batch. They are therefore exact after a crash, and nothing has to be counted at the start.
// All other threads only read them.
//
// Thread-safe: one mutex, held for a moment.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/event.hpp"

namespace onceproxy::store {

class LedgerCounts {
 public:
  struct OfListener {
    std::uint64_t pending = 0;
    std::uint64_t dead = 0;
    std::uint64_t notified_total = 0;
    std::uint64_t dead_total = 0;
    std::uint64_t cancelled_total = 0;
    std::uint64_t removed_total = 0;
    std::uint64_t failed_total = 0;
  };
  struct Totals {
    std::uint64_t events_open = 0;
    std::uint64_t payload_bytes = 0;
    /// The number of the newest event.
    EventNumber last_event = 0;
  };

  /// Calls `change` with the listener's counts, and marks them as changed.
  template <typename Change>
  void change(std::string_view listener, Change&& change) {
    const std::lock_guard lock(mutex_);
    const auto found = entry(listener);
    change(found->second.counts);
    touched_.insert(found);
  }
  template <typename Change>
  void change_totals(Change&& change) {
    const std::lock_guard lock(mutex_);
    change(totals_);
    totals_touched_ = true;
  }
  /// The keys and values of all counts that have changed since the last call.
  std::vector<std::pair<std::string, std::string>> take_changed();

  /// To be called for a database that was just opened, before read() is called with every counts
  /// row, in any order.
  void reset();
  /// False: the bytes are not valid counts.
  bool read(std::string_view key, std::string_view value);

  Totals totals() const;
  std::vector<std::pair<std::string, OfListener>> listeners() const;

  /// A lower bound of the numbers of the listener's pending deliveries.
  EventNumber first_pending(std::string_view listener) const;
  /// This delivery of the listener is pending again. To be called when its row can be read.
  void may_be_pending(std::string_view listener, EventNumber event);
  /// A reader that started at first_pending() found this number to be the first pending one.
  /// `generation`: the value of generation() before the read.
  void found_first(std::string_view listener, EventNumber event, std::uint64_t generation);
  std::uint64_t generation() const;

 private:
  struct Entry {
    OfListener counts;
    EventNumber first_pending = 0;
  };
  using Listeners = std::map<std::string, Entry, std::less<>>;
  struct ByName {
    bool operator()(Listeners::iterator a, Listeners::iterator b) const {
      return a->first < b->first;
    }
  };
  Listeners::iterator entry(std::string_view listener);

  mutable std::mutex mutex_;
  Listeners listeners_;
  Totals totals_;
  std::set<Listeners::iterator, ByName> touched_;
  bool totals_touched_ = false;
  /// Incremented when a delivery is pending again: a reader that began before that may have found a
  /// later one to be the first.
  std::uint64_t generation_ = 0;
};

}  // namespace onceproxy::store
