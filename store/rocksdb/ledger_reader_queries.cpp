// What operators ask of the ledger: deliveries by event, by an index, or by a walk over the events.
#include <algorithm>
#include <utility>

#include "store/rocksdb/ledger_reader.hpp"

namespace onceproxy::store {
namespace {

using States = std::vector<DeliveryState>;

bool asks_for(const States& states, DeliveryState state) {
  return states.empty() || std::ranges::find(states, state) != states.end();
}

/// What was delivered has no index.
bool asks_for_undelivered_alone(const States& states) {
  return !states.empty() && std::ranges::find(states, DeliveryState::notified) == states.end();
}

bool admits(const DeliveryFilter& filter, const DeliveryView& delivery) {
  return asks_for(filter.states, delivery.state) &&
         (!filter.event || *filter.event == delivery.fingerprint) &&
         (!filter.listener || *filter.listener == delivery.key.listener) &&
         (!filter.policy || *filter.policy == delivery.policy) &&
         (!filter.since || delivery.created >= *filter.since) &&
         (!filter.until || delivery.created < *filter.until);
}

Unreadable unreadable(const rocksdb::Status& status) {
  return {status.ToString()};
}

}  // namespace

std::variant<DeliveryPage, Unreadable> LedgerReader::deliveries(
    const DeliveryFilter& filter, const std::optional<DeliveryKey>& after,
    std::size_t limit) const {
  if (filter.event) return by_event(filter, after, limit);
  if (asks_for_undelivered_alone(filter.states)) return by_index(filter, after, limit);
  return by_walk(filter, after, limit);
}

std::variant<DeliveryPage, Unreadable> LedgerReader::by_event(
    const DeliveryFilter& filter, const std::optional<DeliveryKey>& after,
    std::size_t limit) const {
  std::vector<EventNumber> numbers;
  if (auto why = numbers_of(*filter.event, look_max_, numbers)) return std::move(*why);
  std::ranges::sort(numbers);
  DeliveryPage page;
  for (const EventNumber number : numbers) {
    if (after && number < after->event) continue;
    auto found = view(number);
    if (auto* const why = std::get_if<Unreadable>(&found)) return std::move(*why);
    auto& event = std::get<std::optional<EventView>>(found);
    if (!event) continue;
    for (DeliveryView& delivery : event->deliveries) {
      if ((after && delivery.key <= *after) || !admits(filter, delivery)) continue;
      if (page.items.size() >= limit) {
        page.next = page.items.empty() ? after : std::optional(page.items.back().key);
        return page;
      }
      page.items.push_back(std::move(delivery));
    }
  }
  return page;
}

/// Of one listener, in order of their events.
std::optional<Unreadable> LedgerReader::keys_of(const std::string& prefix,
                                                std::string_view listener,
                                                const std::optional<DeliveryKey>& after,
                                                std::size_t limit, Keys& out) const {
  std::string from = prefix;
  if (after) {
    // Of the same event there may be one of a later listener.
    const EventNumber before = after->event - (listener > after->listener && after->event > 0);
    from.append(payload_key(before));
  }
  std::size_t found = 0;
  const auto status = database_.scan(
      Family::deliveries, from,
      [&](std::string_view key, std::string_view) {
        if (found++ >= limit) return false;
        out.push_back({last_number(key), std::string(listener)});
        return true;
      },
      behind(prefix));
  if (!status.ok()) return unreadable(status);
  return std::nullopt;
}

std::variant<DeliveryPage, Unreadable> LedgerReader::by_index(
    const DeliveryFilter& filter, const std::optional<DeliveryKey>& after,
    std::size_t limit) const {
  const bool pending = asks_for(filter.states, DeliveryState::pending) ||
                       asks_for(filter.states, DeliveryState::failed);
  const bool dead = asks_for(filter.states, DeliveryState::dead);
  const bool unsent = asks_for(filter.states, DeliveryState::cancelled) ||
                      asks_for(filter.states, DeliveryState::removed);
  std::optional<DeliveryKey> from = after;
  if (filter.since) {
    auto first = first_since(*filter.since);
    if (auto* const why = std::get_if<Unreadable>(&first)) return std::move(*why);
    const DeliveryKey start{std::get<EventNumber>(first), {}};
    if (!from || *from < start) from = start;
  }
  Keys keys;
  const std::size_t each = limit + 1;
  for (const auto& [listener, counts] : counts_.listeners()) {
    if (filter.listener && *filter.listener != listener) continue;
    const std::pair<bool, std::string> indexes[] = {
        {pending && counts.pending > 0, pending_key(listener, 0)},
        {dead && counts.dead > 0, dead_key(listener, 0)},
        {unsent && counts.cancelled_total + counts.removed_total > 0, unsent_key(listener, 0)}};
    for (const auto& [wanted, key] : indexes) {
      if (!wanted) continue;
      const std::string prefix = key.substr(0, listener.size() + 2);
      if (auto why = keys_of(prefix, listener, from, each, keys)) return std::move(*why);
    }
  }
  std::ranges::sort(keys);
  const bool more = keys.size() > limit;
  if (more) keys.resize(limit);
  DeliveryPage page;
  if (more && !keys.empty()) page.next = keys.back();
  std::optional<EventView> event;
  for (const DeliveryKey& key : keys) {
    if (!event || event->number != key.event) {
      auto found = view(key.event);
      if (auto* const why = std::get_if<Unreadable>(&found)) return std::move(*why);
      event = std::get<std::optional<EventView>>(std::move(found));
    }
    if (!event) continue;
    for (const DeliveryView& delivery : event->deliveries) {
      if (delivery.key == key && admits(filter, delivery)) page.items.push_back(delivery);
    }
  }
  return page;
}

/// Numbers rise with the times at which events were stored, or nearly so.
std::variant<EventNumber, Unreadable> LedgerReader::first_since(WallTime since) const {
  EventNumber low = 0;
  EventNumber high = counts_.totals().last_event + 1;
  while (low < high) {
    const EventNumber middle = low + (high - low) / 2;
    std::optional<std::pair<EventNumber, WallTime>> next;
    const auto status = database_.scan(
        Family::deliveries, event_key(middle),
        [&](std::string_view key, std::string_view value) {
          if (const auto row = decode_event_row(value)) next = {last_number(key), row->created};
          return false;
        },
        behind(std::string(event_prefix)));
    if (!status.ok()) return unreadable(status);
    // Those whose clocks were read a moment before they were numbered are not missed.
    constexpr std::chrono::seconds slack{10};
    if (next && next->second < since - slack) {
      low = next->first;
      if (low + 1 >= high) break;
    } else {
      high = middle;
    }
  }
  return low;
}

std::variant<DeliveryPage, Unreadable> LedgerReader::by_walk(
    const DeliveryFilter& filter, const std::optional<DeliveryKey>& after,
    std::size_t limit) const {
  EventNumber from = after ? after->event : 0;
  if (filter.since) {
    auto first = first_since(*filter.since);
    if (auto* const why = std::get_if<Unreadable>(&first)) return std::move(*why);
    from = std::max(from, std::get<EventNumber>(first));
  }
  // Numbers first: whoever reads in a scan would wait for a reopen that waits for the scan.
  std::vector<EventNumber> numbers;
  std::size_t looked = 0;
  bool more = false;
  const auto status = database_.scan(
      Family::deliveries, event_key(from == 0 ? 0 : from - 1),
      [&](std::string_view key, std::string_view value) {
        more = looked >= look_max_ || numbers.size() > limit * 4 + 64;
        if (more) return false;
        const auto row = decode_event_row(value);
        looked += row ? row->listeners.size() : 1;
        numbers.push_back(last_number(key));
        return true;
      },
      behind(std::string(event_prefix)));
  if (!status.ok()) return unreadable(status);
  DeliveryPage page;
  for (const EventNumber number : numbers) {
    auto found = view(number);
    if (auto* const why = std::get_if<Unreadable>(&found)) return std::move(*why);
    auto& event = std::get<std::optional<EventView>>(found);
    if (!event) continue;
    for (DeliveryView& delivery : event->deliveries) {
      if ((after && delivery.key <= *after) || !admits(filter, delivery)) continue;
      if (page.items.size() >= limit) {
        page.next = page.items.back().key;
        return page;
      }
      page.items.push_back(std::move(delivery));
    }
  }
  // Behind every listener of the last one that was looked at.
  if (more && !numbers.empty()) page.next = DeliveryKey{numbers.back(), "\x7f"};
  return page;
}

LedgerFigures LedgerReader::figures() const {
  LedgerFigures out;
  const LedgerCounts::Totals totals = counts_.totals();
  out.events_open = totals.events_open;
  out.payload_bytes = totals.payload_bytes;
  for (auto& [listener, counts] : counts_.listeners()) {
    ListenerFigures figures;
    figures.pending = counts.pending;
    figures.dead = counts.dead;
    figures.notified_total = counts.notified_total;
    figures.dead_total = counts.dead_total;
    figures.cancelled_total = counts.cancelled_total;
    figures.removed_total = counts.removed_total;
    figures.failed_total = counts.failed_total;
    if (counts.pending > 0) {
      const auto found = pending(listener, 0, 1);
      const auto* const page = std::get_if<PendingPage>(&found);
      if (page != nullptr && !page->items.empty()) {
        const auto row = event_row(page->items.front().event);
        const auto* const event = std::get_if<std::optional<EventRow>>(&row);
        if (event != nullptr && *event) figures.oldest_pending = (*event)->created;
      }
    }
    figures.listener = std::move(listener);
    out.listeners.push_back(std::move(figures));
  }
  return out;
}

}  // namespace onceproxy::store
