// What the shared ledger reads.
#include <algorithm>
#include <utility>

#include "store/postgres/asking.hpp"
#include "store/postgres/failure.hpp"
#include "store/postgres/postgres_ledger.hpp"

namespace onceproxy::store {

using std::chrono::milliseconds;

namespace {

using States = std::vector<DeliveryState>;

WallTime time(const pq::Row& row, int column) {
  return WallTime(milliseconds(row.number(column)));
}

std::optional<WallTime> maybe_time(const pq::Row& row, int column) {
  if (row.null(column)) return std::nullopt;
  return time(row, column);
}

/// The columns of delivery_view.
enum Column {
  c_event,
  c_listener,
  c_fingerprint,
  c_policy,
  c_state,
  c_created,
  c_attempts,
  c_last_attempt,
  c_due,
  c_held,
  c_ended,
  c_status,
  c_error
};

DeliveryView view(const pq::Row& row) {
  DeliveryView out;
  out.key = {static_cast<EventNumber>(row.number(c_event)), row.text(c_listener)};
  row.into(c_fingerprint, out.fingerprint.bytes);
  out.policy = row.text(c_policy);
  out.state = static_cast<DeliveryState>(row.number(c_state));
  out.created = time(row, c_created);
  out.attempts = static_cast<std::uint32_t>(row.number(c_attempts));
  out.last_attempt = maybe_time(row, c_last_attempt);
  out.due = maybe_time(row, c_due);
  out.held = row.flag(c_held);
  out.ended = maybe_time(row, c_ended);
  out.status = static_cast<int>(row.number(c_status));
  out.error = row.text(c_error);
  return out;
}

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

EventView event_of(const pq::Row& row, const Fingerprint& fingerprint) {
  EventView out;
  out.number = static_cast<EventNumber>(row.number(0));
  out.fingerprint = fingerprint;
  out.created = time(row, 1);
  out.ended = maybe_time(row, 2);
  out.policy = row.text(3);
  out.request_id = row.text(4);
  out.trace = row.text(5);
  out.entity_type = row.text(6);
  out.entity_id = row.text(7);
  out.method = row.text(8);
  out.target = row.text(9);
  out.payload_bytes = static_cast<std::uint64_t>(row.number(10));
  out.payload_kept = row.flag(11);
  return out;
}

DeliveryView delivery_of(const pq::Row& row, const EventView& event) {
  DeliveryView out;
  out.key = {event.number, row.text(12)};
  out.fingerprint = event.fingerprint;
  out.policy = event.policy;
  out.created = event.created;
  out.state = static_cast<DeliveryState>(row.number(13));
  out.attempts = static_cast<std::uint32_t>(row.number(14));
  out.last_attempt = maybe_time(row, 15);
  if (!is_ended(out.state)) {
    out.due = time(row, 16);
    out.held = row.flag(17);
  }
  out.ended = maybe_time(row, 18);
  out.status = static_cast<int>(row.number(19));
  out.error = row.text(20);
  return out;
}

}  // namespace

std::variant<PendingPage, Unreadable> PostgresLedger::pending(std::string_view listener,
                                                              EventNumber after,
                                                              std::size_t limit) {
  const Reply reply =
      ask(parts_.work, parts_.house, Statement::pending_deliveries,
          [this, name = std::string(listener), after, limit,
           policies = parts_.routes.policies_of(listener)](pq::Params& params) {
            params.bytes(name);
            params.number(static_cast<std::int64_t>(after));
            params.number(static_cast<std::int64_t>(limit) + 1);
            params.nonce(parts_.work.instance);
            params.array(std::vector<std::string_view>(policies.begin(), policies.end()));
            params.number(parts_.work.tuning.others_patience.count());
            params.flag(parts_.liveness.may_take_over(SteadyClock::now()));
            params.number(parts_.upkeep.orphaned_after().count());
            params.number(static_cast<std::int64_t>(parts_.work.tuning.pending_look_max));
          });
  if (!reply.good()) return Unreadable{why_not(reply)};
  // Due times are told by the clock of this machine, which may be another than the database's.
  const WallTime now = parts_.work.clock.now();
  PendingPage page;
  for (int i = 0; i < reply.rows(); ++i) {
    page.more = page.items.size() >= limit;
    if (page.more) break;
    const pq::Row row(reply.result.get(), i);
    PendingDelivery one;
    one.event = static_cast<EventNumber>(row.number(0));
    if (row.null(1)) {
      page.more = true;
      page.reached = one.event;
      break;
    }
    one.due = now + milliseconds(row.number(1) - row.number(5));
    one.attempts = static_cast<std::uint32_t>(row.number(2));
    if (!row.null(3)) row.into(3, one.entity.emplace().bytes);
    one.held = row.flag(4);
    page.items.push_back(one);
  }
  return page;
}

std::vector<std::string> PostgresLedger::listeners_with_pending() const {
  const auto routes = parts_.routes.all();
  const Reply reply =
      ask(parts_.work, parts_.house, Statement::left_over, [this, routes](pq::Params& params) {
        add_routes(params, *routes);
        params.nonce(parts_.work.instance);
        params.null();
        params.flag(false);
        params.number(parts_.upkeep.orphaned_after().count());
      });
  std::vector<std::string> out;
  // Where the database does not answer now, upkeep finds them later.
  if (!reply.good()) return out;
  for (int i = 0; i < reply.rows(); ++i) out.push_back(pq::Row(reply.result.get(), i).text(0));
  std::ranges::sort(out);
  return out;
}

std::variant<std::shared_ptr<const Event>, Unreadable> PostgresLedger::event(EventNumber number) {
  const Reply reply =
      ask(parts_.work, parts_.house, Statement::find_event,
          [number](pq::Params& params) { params.number(static_cast<std::int64_t>(number)); });
  if (!reply.good()) return Unreadable{why_not(reply)};
  if (reply.rows() == 0) return std::shared_ptr<const Event>();
  const pq::Row row = reply.row();
  auto event = std::make_shared<Event>();
  event->number = number;
  row.into(0, event->fingerprint.bytes);
  event->created = time(row, 1);
  event->policy = row.text(2);
  event->request_id = row.text(3);
  event->trace = row.text(4);
  if (!row.null(5)) row.into(5, event->entity.emplace().bytes);
  event->entity_type = row.text(6);
  event->entity_id = row.text(7);
  event->method = row.text(8);
  event->target = row.text(9);
  event->head = row.text(10);
  event->body = row.text(11);
  return std::shared_ptr<const Event>(std::move(event));
}

std::variant<std::vector<EventView>, Unreadable> PostgresLedger::events(
    const Fingerprint& fingerprint, std::size_t limit) {
  const Reply reply = ask(parts_.work, parts_.house, Statement::events_of,
                          [fingerprint, limit](pq::Params& params) {
                            params.digest(fingerprint);
                            params.number(static_cast<std::int64_t>(limit));
                          });
  if (!reply.good()) return Unreadable{why_not(reply)};
  std::vector<EventView> out;
  for (int i = 0; i < reply.rows(); ++i) {
    const pq::Row row(reply.result.get(), i);
    if (out.empty() || out.back().number != static_cast<EventNumber>(row.number(0))) {
      out.push_back(event_of(row, fingerprint));
    }
    out.back().deliveries.push_back(delivery_of(row, out.back()));
  }
  return out;
}

/// The deliveries behind `after` among which those that the filter admits are.
Reply PostgresLedger::page_of(const DeliveryFilter& filter, const DeliveryKey& after,
                              std::size_t limit) const {
  const bool undelivered = asks_for_undelivered_alone(filter.states);
  const Statement statement = filter.event  ? Statement::list_deliveries_of
                              : undelivered ? Statement::list_undelivered
                                            : Statement::list_deliveries;
  return ask(parts_.work, parts_.house, statement, [=](pq::Params& params) {
    params.number(static_cast<std::int64_t>(after.event));
    params.bytes(after.listener);
    params.number(static_cast<std::int64_t>(limit));
    if (statement == Statement::list_deliveries_of) {
      params.digest(*filter.event);
      return;
    }
    filter.since ? params.number(filter.since->time_since_epoch().count()) : params.null();
    if (statement == Statement::list_deliveries) return;
    filter.listener ? params.bytes(*filter.listener) : params.null();
    params.flag(asks_for(filter.states, DeliveryState::pending) ||
                asks_for(filter.states, DeliveryState::failed));
    params.flag(asks_for(filter.states, DeliveryState::dead));
    params.flag(asks_for(filter.states, DeliveryState::cancelled) ||
                asks_for(filter.states, DeliveryState::removed));
  });
}

std::variant<DeliveryPage, Unreadable> PostgresLedger::deliveries(
    const DeliveryFilter& filter, const std::optional<DeliveryKey>& after, std::size_t limit) {
  const std::size_t at_once = std::clamp<std::size_t>(limit + 1, 200, 1'000);
  DeliveryPage page;
  DeliveryKey last = after.value_or(DeliveryKey{});
  for (std::size_t seen = 0; seen < parts_.work.tuning.scan_max;) {
    const Reply reply = page_of(filter, last, at_once);
    if (!reply.good()) return Unreadable{why_not(reply)};
    for (int i = 0; i < reply.rows(); ++i) {
      if (page.items.size() == limit) {
        page.next = last;
        return page;
      }
      DeliveryView one = view(pq::Row(reply.result.get(), i));
      last = one.key;
      if (admits(filter, one)) page.items.push_back(std::move(one));
    }
    seen += static_cast<std::size_t>(reply.rows());
    if (reply.rows() < static_cast<int>(at_once)) return page;
  }
  page.next = last;
  return page;
}

/// What cannot be read stays as it was read last. Counting takes long where most is pending: all
/// else must be known nevertheless.
void PostgresLedger::read_figures(LedgerFigures& out) const {
  const Reply totals = ask(parts_.work, parts_.house, Statement::ledger_totals, nullptr);
  if (totals.good() && totals.rows() == 1) {
    out.events_open = static_cast<std::uint64_t>(totals.row().number(0));
    out.payload_bytes = static_cast<std::uint64_t>(totals.row().number(1));
  }
  std::map<std::string, ListenerFigures> listeners;
  for (ListenerFigures& one : out.listeners) listeners[one.listener] = std::move(one);
  const Reply ages = ask(parts_.work, parts_.house, Statement::listener_ages, nullptr);
  for (int i = 0; i < ages.rows(); ++i) {
    const pq::Row row(ages.result.get(), i);
    listeners[row.text(0)].oldest_pending = maybe_time(row, 1);
  }
  const Reply counts = ask(parts_.work, parts_.house, Statement::listener_counts, nullptr);
  for (int i = 0; i < counts.rows(); ++i) {
    const pq::Row row(counts.result.get(), i);
    ListenerFigures& one = listeners[row.text(0)];
    one.pending = static_cast<std::uint64_t>(row.number(1));
    one.dead = static_cast<std::uint64_t>(row.number(2));
  }
  for (const Reply* const reply : {&totals, &ages, &counts}) {
    if (reply->good() || reply->lost) continue;
    parts_.work.failed(failure_of(reply->sqlstate).kind, "figures of the ledger: " + reply->error);
  }
  out.listeners.clear();
  for (auto& [name, one] : listeners) {
    one.listener = name;
    out.listeners.push_back(std::move(one));
  }
}

/// Where counting takes long, since much is pending, what was counted last is told for twenty times
/// as long.
LedgerFigures PostgresLedger::figures() const {
  constexpr milliseconds quick{50};
  const std::lock_guard lock(figures_mutex_);
  const auto begun = SteadyClock::now();
  if (begun >= figures_until_) {
    read_figures(figures_);
    const auto took = SteadyClock::now() - begun;
    figures_until_ = took < quick ? SteadyClock::time_point() : begun + 20 * took;
  }
  LedgerFigures out = figures_;
  out.payload_bytes_max = parts_.work.ledger_limits.bytes_max();
  const std::lock_guard counts_lock(counts_mutex_);
  for (const auto& [name, ends] : ends_) {
    const auto at = std::ranges::lower_bound(out.listeners, name, {}, &ListenerFigures::listener);
    if (at != out.listeners.end() && at->listener == name) continue;
    out.listeners.emplace(at)->listener = name;
  }
  for (ListenerFigures& one : out.listeners) {
    const auto found = ends_.find(one.listener);
    if (found == ends_.end()) continue;
    one.notified_total = found->second.notified_total;
    one.dead_total = found->second.dead_total;
    one.cancelled_total = found->second.cancelled_total;
    one.removed_total = found->second.removed_total;
    one.failed_total = found->second.failed_total;
  }
  return out;
}

}  // namespace onceproxy::store
