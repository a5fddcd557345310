#include "store/rocksdb/ledger_counts.hpp"

#include <algorithm>

#include "store/codec.hpp"
#include "store/rocksdb/event_rows.hpp"

namespace onceproxy::store {

// Of a listener:  version(1) pending dead notified_total dead_total cancelled_total removed_total
//                 failed_total
// Of all:         version(1) events_open payload_bytes last_event
// Each number is a u64, little-endian.
namespace {

constexpr std::uint8_t version = 1;

std::string encode(const LedgerCounts::OfListener& counts) {
  Writer out(57);
  out.number(version);
  for (const std::uint64_t number :
       {counts.pending, counts.dead, counts.notified_total, counts.dead_total,
        counts.cancelled_total, counts.removed_total, counts.failed_total}) {
    out.number(number);
  }
  return out.take();
}

std::string encode(const LedgerCounts::Totals& totals) {
  Writer out(25);
  out.number(version);
  out.number(totals.events_open);
  out.number(totals.payload_bytes);
  out.number(totals.last_event);
  return out.take();
}

}  // namespace

LedgerCounts::Listeners::iterator LedgerCounts::entry(std::string_view listener) {
  const auto found = listeners_.find(listener);
  if (found != listeners_.end()) return found;
  return listeners_.emplace(std::string(listener), Entry{}).first;
}

std::vector<std::pair<std::string, std::string>> LedgerCounts::take_changed() {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, std::string>> rows;
  rows.reserve(touched_.size() + 1);
  for (const auto& listener : touched_) {
    rows.emplace_back(counts_key(listener->first), encode(listener->second.counts));
  }
  touched_.clear();
  if (std::exchange(totals_touched_, false)) rows.emplace_back(counts_key({}), encode(totals_));
  return rows;
}

void LedgerCounts::reset() {
  const std::lock_guard lock(mutex_);
  touched_.clear();
  totals_touched_ = false;
  totals_ = {0, 0, totals_.last_event};
  listeners_.clear();
  ++generation_;
}

bool LedgerCounts::read(std::string_view key, std::string_view value) {
  Reader in(value);
  if (in.number<std::uint8_t>() != version) return false;
  const std::lock_guard lock(mutex_);
  if (key.size() == counts_prefix.size()) {
    totals_.events_open = in.number<std::uint64_t>();
    totals_.payload_bytes = in.number<std::uint64_t>();
    // A number that was given out by a write that failed is not given out again.
    totals_.last_event = std::max(totals_.last_event, in.number<EventNumber>());
    return in.good_to_the_end();
  }
  OfListener& counts = entry(key.substr(counts_prefix.size()))->second.counts;
  for (std::uint64_t* const number :
       {&counts.pending, &counts.dead, &counts.notified_total, &counts.dead_total,
        &counts.cancelled_total, &counts.removed_total, &counts.failed_total}) {
    *number = in.number<std::uint64_t>();
  }
  return in.good_to_the_end();
}

LedgerCounts::Totals LedgerCounts::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

std::vector<std::pair<std::string, LedgerCounts::OfListener>> LedgerCounts::listeners() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, OfListener>> out;
  out.reserve(listeners_.size());
  for (const auto& [name, entry] : listeners_) out.emplace_back(name, entry.counts);
  return out;
}

EventNumber LedgerCounts::first_pending(std::string_view listener) const {
  const std::lock_guard lock(mutex_);
  const auto found = listeners_.find(listener);
  return found == listeners_.end() ? 0 : found->second.first_pending;
}

void LedgerCounts::may_be_pending(std::string_view listener, EventNumber event) {
  const std::lock_guard lock(mutex_);
  EventNumber& first = entry(listener)->second.first_pending;
  first = std::min(first, event);
  ++generation_;
}

void LedgerCounts::found_first(std::string_view listener, EventNumber event,
                               std::uint64_t generation) {
  const std::lock_guard lock(mutex_);
  if (generation != generation_) return;
  const auto found = listeners_.find(listener);
  if (found != listeners_.end()) {
    found->second.first_pending = std::max(found->second.first_pending, event);
  }
}

std::uint64_t LedgerCounts::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_;
}

}  // namespace onceproxy::store
