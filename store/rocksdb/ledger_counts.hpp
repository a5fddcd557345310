// LedgerCounts: how many deliveries of each listener are in which state, and what the payloads
// take. The committer changes them with each batch and writes those that changed into it, so that
// they are exact after a crash without counting anything. Everybody else reads them.
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

  /// `change` is called with the listener's counts. Noted as changed.
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
  /// The rows of what was changed since: key and value.
  std::vector<std::pair<std::string, std::string>> take_changed();

  /// What a database that was just opened has: every counts row, in any order.
  void reset();
  /// False where the bytes are no counts.
  bool read(std::string_view key, std::string_view value);

  Totals totals() const;
  std::vector<std::pair<std::string, OfListener>> listeners() const;

  /// No pending delivery of the listener has a lower number.
  EventNumber first_pending(std::string_view listener) const;
  /// One may have, from now on.
  void may_be_pending(std::string_view listener, EventNumber event);
  /// Whoever read the database from first_pending() on found this to be the first. `generation`: as
  /// it was before he read.
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
  /// Raised with each delivery that becomes pending below others.
  std::uint64_t generation_ = 0;
};

}  // namespace onceproxy::store
