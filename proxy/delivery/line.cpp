#include "proxy/delivery/line.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "proxy/delivery/attempt_trace.hpp"
#include "proxy/delivery/backoff.hpp"
#include "proxy/delivery/request_head.hpp"
#include "proxy/delivery/retry_after.hpp"
#include "proxy/delivery/verdict.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy::delivery {

namespace {

using std::chrono::milliseconds;
using store::DeliveryState;
using telemetry::LogLevel;

/// Pages that are read in one go, so that a long backlog does not hold up the other listeners.
constexpr int pages_at_once = 4;
/// Deliveries of a listener that is gone end at once; so many at a time.
constexpr std::size_t removals_at_once = 16;
/// Until the store is asked again where it could not say, or somebody else has the delivery.
constexpr milliseconds ask_again_after{1'000};
constexpr milliseconds taken_again_after{100};
/// A listener that asks for more is asked again after that, by one delivery.
constexpr std::chrono::hours pause_max{1};

std::string_view value_of(const http::ResponseHead& head, std::string_view name) {
  for (const policies::Field& field : head.fields) {
    if (policies::equals_ignoring_case(field.name, name)) return field.value;
  }
  return {};
}

}  // namespace

Line::Line(LineParts& parts, std::string name, std::shared_ptr<Counts> counts)
    : parts_(parts), name_(std::move(name)), counts_(std::move(counts)) {}

void Line::follow(const policies::Listener& listener,
                  std::shared_ptr<http::UpstreamAddress> address, const http::UpstreamShare* share,
                  std::shared_ptr<const http::Setup> setup) {
  if (channel_ && channel_->leads_to(address)) {
    channel_->follow(listener, std::move(setup));
  } else if (share != nullptr) {
    channel_ = std::make_shared<Channel>(parts_.channel, *share, std::move(setup), listener);
  } else {
    channel_ = std::make_shared<Channel>(parts_.channel, std::move(address), listener);
  }
  channel_in_plan_ = true;
  counts_->configured = true;
  concurrency_max_ = listener.concurrency_max;
  pace_.set(listener.rate ? Rate{listener.rate->limit, listener.rate->per} : Rate{});
  pump_later();
}

void Line::leave() {
  channel_in_plan_ = false;
  counts_->configured = false;
  concurrency_max_ = removals_at_once;
  pace_.set({});
  paused_until_ = {};
  circuit_.succeeded();
  if (channel_) channel_->pool().close_idle();
  queue_.make_all_due();
  pump_later();
}

void Line::add_new(const store::Event& event) {
  queue_.add_new({event.number, Queue::Time(), 0, event.entity, false});
  pump_later();
}

void Line::look_again() {
  queue_.reread();
  pump_later();
}

void Line::close_connections() {
  if (channel_) channel_->pool().close_all();
}

/// Due times that have passed are alike, so that what waited goes in the order of its numbers.
Queue::Time Line::due_at(store::WallTime due, Queue::Time now) const {
  const auto left = due - parts_.clock.now();
  return left.count() <= 0 ? Queue::Time() : now + left;
}

void Line::read_pages(Queue::Time now) {
  for (int page = 0; page < pages_at_once; ++page) {
    const std::size_t wanted = queue_.wants(now);
    if (wanted == 0) return;
    const auto read = parts_.ledger.pending(name_, queue_.after(), wanted);
    const auto* const found = std::get_if<store::PendingPage>(&read);
    // It was logged where it failed. The next tick asks again.
    if (found == nullptr) return;
    std::vector<Queue::Row> rows;
    rows.reserve(found->items.size());
    for (const store::PendingDelivery& item : found->items) {
      // Of a listener that is gone, everything is to end, whenever it was to go again.
      const Queue::Time due = channel_in_plan_ ? due_at(item.due, now) : Queue::Time();
      rows.push_back({item.event, due, item.attempts, item.entity, channel_in_plan_ && item.held});
    }
    queue_.add_page(rows, found->more);
  }
}

bool Line::may_begin(Queue::Time now) {
  if (in_flight_ >= concurrency_max_ || pace_.next(now) > now || paused_until_ > now) return false;
  if (!queue_.ready(now)) return false;
  if (!parts_.budget.try_take(in_flight_)) {
    if (!std::exchange(starved_, true)) parts_.starved.push_back(this);
    return false;
  }
  if (circuit_.try_begin(now)) return true;
  parts_.budget.give_back();
  return false;
}

void Line::pump() {
  counts_->connections = channel_ ? channel_->connections() : 0;
  if (parts_.draining) return;
  const Queue::Time now = parts_.channel.loop.now();
  read_pages(now);
  while (may_begin(now)) {
    const std::optional<Queue::Row> row = queue_.take(now);
    pace_.take(now);
    ++in_flight_;
    counts_->in_flight = in_flight_;
    io::start(deliver(*row));
  }
  counts_->circuit = circuit_.state(now);
}

io::Task<void> Line::deliver(Queue::Row row) {
  Fate fate{false, false, parts_.channel.loop.now() + ask_again_after, row.attempts};
  try {
    fate = co_await attempt(row);
  } catch (const std::exception& error) {
    parts_.channel.metrics.connection_defect(telemetry::unforeseen_exception);
    telemetry::log(LogLevel::error, "delivery failed",
                   {{"listener", std::string_view(name_)}, {"error", error.what()}});
    circuit_.withdrawn();
  }
  finished(row, fate);
}

void Line::finished(const Queue::Row& row, const Fate& fate) {
  if (fate.over) {
    queue_.end(row.event);
  } else if (fate.parked) {
    queue_.park(row.event);
  } else {
    queue_.retry(row.event, fate.due, fate.attempts);
  }
  --in_flight_;
  counts_->in_flight = in_flight_;
  parts_.budget.give_back();
  if (!parts_.starved.empty()) {
    Line& next = *parts_.starved.front();
    parts_.starved.pop_front();
    next.starved_ = false;
    next.pump_later();
  }
  pump_later();
}

io::Task<Line::Fate> Line::attempt(const Queue::Row& row) {
  const Queue::Time now = parts_.channel.loop.now();
  const store::DeliveryKey key{row.event, name_};
  io::AwaitedCall<store::BeginResult> call(parts_.channel.home);
  io::Finished<store::BeginResult> finished{call, parts_.ledger.begin(key, call)};
  store::BeginResult begun = co_await finished;
  auto* const attempt = std::get_if<store::Attempt>(&begun);
  if (attempt == nullptr) {
    circuit_.withdrawn();
    if (std::holds_alternative<store::Taken>(begun)) {
      co_return Fate{false, false, now + taken_again_after, row.attempts};
    }
    if (std::holds_alternative<store::Unavailable>(begun)) {
      co_return Fate{false, false, now + ask_again_after, row.attempts};
    }
    if (std::holds_alternative<store::Cancelled>(begun)) {
      parts_.outcomes.note(key,
                           {DeliveryState::cancelled, row.attempts, 0, "its entity is closed"});
    }
    co_return Fate{};
  }
  std::shared_ptr<const store::Event> event = parts_.events.get(row.event);
  if (!event) {
    auto read = parts_.ledger.event(row.event);
    if (std::holds_alternative<store::Unreadable>(read)) {
      circuit_.withdrawn();
      co_return Fate{false, false, now + ask_again_after, row.attempts};
    }
    event = std::get<std::shared_ptr<const store::Event>>(std::move(read));
    if (event) parts_.events.put(event);
  }
  store::AttemptEnd how;
  how.attempted = false;
  if (!event) {
    circuit_.withdrawn();
    how.state = DeliveryState::dead;
    Fate fate =
        co_await end(std::move(*attempt), how, "its payload is not kept any more", row.attempts);
    co_return fate;
  }
  // The plan may be another one when this has ended.
  const std::shared_ptr<const Plan> plan = parts_.plan;
  const Route* const route = plan->route(event->policy, name_);
  if (route == nullptr || !channel_) {
    circuit_.withdrawn();
    how.state = DeliveryState::removed;
    note_given_up(*event, how, "the listener was removed");
    Fate fate = co_await end(std::move(*attempt), how, "the listener was removed", row.attempts);
    co_return fate;
  }
  Fate fate = co_await send(std::move(*attempt), std::move(event), *route);
  co_return fate;
}

io::Task<Line::Fate> Line::send(store::Attempt attempt, std::shared_ptr<const store::Event> event,
                                Route route) {
  const policies::Listener& listener = *route.listener;
  const bool to_upstream = route.policy->delivery->to_upstream;
  const std::shared_ptr<const Plan> plan = parts_.plan;
  const std::shared_ptr<Channel> channel = channel_;
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(parts_.clock.now().time_since_epoch());
  const AttemptTrace trace(parts_.recorder.get(), *event);
  std::string head;
  write_delivery_head(
      *event, listener,
      {to_upstream, channel->authority(), now, route.keys.get(), trace.traceparent()}, head);
  Exchange::Terms terms{listener.timeout};
  if (to_upstream) {
    // Each of these ends an attempt by itself, as it ends a forward.
    const http::UpstreamOptions& upstream = channel->setup()->options.upstream;
    terms.timeout = upstream.connect_timeout + upstream.response_timeout + upstream.idle_timeout;
    terms.body_bytes_kept = route.policy->replay.body_bytes_max;
  }
  io::Slots* const turns = to_upstream ? plan->rules().turns(*route.policy) : nullptr;
  const std::uint32_t number = attempt.number();
  store::AttemptEnd how;
  std::string error;
  {
    const std::shared_ptr<const http::Setup> setup = channel->setup();
    Exchange exchange(parts_.channel.loop, channel->pool(), setup, event->method, turns, terms);
    std::function<void()> sent = [&attempt] { attempt.sent(); };
    const io::Stream::Parts parts{head, event->body};
    co_await exchange.run(parts, std::move(sent));
    if (parts_.aborting && exchange.status() == 0) {
      // Nobody knows what became of it: it is as it was, and goes again after the next start.
      if (!exchange.not_sent()) ++counts_->unrecorded;
      co_return Fate{false, false, Queue::Time::max(), number - 1};
    }
    judge(exchange, route, number, how, error);
    note_given_up(*event, how, error);
    trace.record(*event, name_, number, how.status, how.state, error);
  }
  Fate fate = co_await end(std::move(attempt), how, std::move(error), number);
  co_return fate;
}

/// The audit log tells what will not be delivered; the ledger tells the rest.
void Line::note_given_up(const store::Event& event, const store::AttemptEnd& how,
                         std::string_view error) {
  if (how.state != DeliveryState::dead && how.state != DeliveryState::removed) return;
  std::string why = "listener " + name_;
  if (how.status != 0) why.append(": status ").append(std::to_string(how.status));
  if (!error.empty()) why.append(": ").append(error);
  store::AuditRefusal entry;
  entry.time = parts_.clock.now();
  entry.fingerprint = event.fingerprint;
  entry.decision = how.state == DeliveryState::dead ? "dead" : "removed";
  entry.policy = event.policy;
  entry.request_id = event.request_id;
  entry.subject = {std::string_view(event.target).substr(0, event.target.find('?')),
                   event.entity_type, event.entity_id};
  entry.error = why;
  parts_.audit.note(entry);
}

void Line::note_circuit(const Exchange& exchange, bool to_upstream) {
  const Queue::Time now = parts_.channel.loop.now();
  if (exchange.busy()) {
    circuit_.withdrawn();
    return;
  }
  const bool was_closed = circuit_.state(now) == Circuit::State::closed;
  if (exchange.status() != 0 && !is_trouble(exchange.status())) {
    circuit_.succeeded();
    if (!was_closed) {
      telemetry::log(LogLevel::info, "listener works again: its circuit is closed",
                     {{"listener", std::string_view(name_)}});
    }
    return;
  }
  circuit_.failed(now);
  if (was_closed && circuit_.state(now) != Circuit::State::closed) {
    ++counts_->circuit_opened;
    telemetry::log(LogLevel::warn,
                   to_upstream ? "the upstream fails: deliveries to it wait"
                               : "listener fails: its circuit is open, and its deliveries wait",
                   {{"listener", std::string_view(name_)},
                    {"error", std::string_view(exchange.error())},
                    {"status", static_cast<std::int64_t>(exchange.status())}});
  }
}

milliseconds Line::delay_after(const Exchange& exchange, const Route& route, std::uint32_t number) {
  milliseconds wait = delay(route.listener->backoff, number, random_share());
  if (exchange.status() == 0) return wait;
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(parts_.clock.now().time_since_epoch());
  const auto asked = retry_after(value_of(exchange.head(), "retry-after"), now);
  if (!asked) return wait;
  // Both statuses speak of the listener, not of this event.
  if (exchange.status() == 429 || exchange.status() == 503) {
    const auto until = parts_.channel.loop.now() +
                       std::min<std::chrono::seconds>(*asked, std::chrono::seconds(pause_max));
    paused_until_ = std::max(paused_until_, until);
  }
  return std::max<milliseconds>(wait, *asked);
}

/// What the attempt came to. `how.error` is not set; `error` is what it is to be.
void Line::judge(const Exchange& exchange, const Route& route, std::uint32_t number,
                 store::AttemptEnd& how, std::string& error) {
  const policies::Policy& policy = *route.policy;
  const bool to_upstream = policy.delivery->to_upstream;
  const bool holds = policy.terms.unknown == store::OnUnknown::hold;
  note_circuit(exchange, to_upstream);
  Verdict verdict = Verdict::retry;
  if (exchange.status() != 0 && to_upstream) {
    const policies::AnswerView answer{exchange.status(), exchange.head().fields, exchange.body(),
                                      exchange.body_whole()};
    verdict = judge_upstream(
        policies::classify(policy.outcome, answer, policy.replay.body_bytes_max).verdict, holds);
  } else if (exchange.status() != 0) {
    verdict = judge_listener(exchange.status());
  } else if (!exchange.not_sent()) {
    verdict = judge_unanswered(to_upstream, holds);
  }
  how.status = exchange.status();
  how.attempted = !exchange.busy();
  error = exchange.error();
  switch (verdict) {
    case Verdict::notified:
      how.state = DeliveryState::notified;
      return;
    case Verdict::dead:
      how.state = DeliveryState::dead;
      error = "the listener says that it is gone for good";
      return;
    case Verdict::hold:
      how.state = DeliveryState::failed;
      how.held = true;
      error = "outcome unknown, held for an operator: " +
              (error.empty() ? "status " + std::to_string(how.status) : error);
      return;
    case Verdict::retry:
      break;
  }
  const milliseconds wait = delay_after(exchange, route, number);
  const bool last = how.attempted && number >= route.listener->attempts;
  how.state = last ? DeliveryState::dead : DeliveryState::failed;
  how.due = parts_.clock.now() + wait;
}

io::Task<Line::Fate> Line::end(store::Attempt attempt, store::AttemptEnd how, std::string error,
                               std::uint32_t attempts) {
  const store::DeliveryKey key = attempt.key();
  how.error = error;
  switch (how.state) {
    case DeliveryState::notified:
      ++counts_->notified;
      break;
    case DeliveryState::failed:
      ++counts_->failed;
      break;
    case DeliveryState::dead:
      ++counts_->dead;
      telemetry::log(LogLevel::error, "delivery is dead",
                     {{"listener", std::string_view(name_)},
                      {"event", static_cast<std::int64_t>(key.event)},
                      {"attempts", static_cast<std::int64_t>(attempts)},
                      {"status", static_cast<std::int64_t>(how.status)},
                      {"error", std::string_view(error)}});
      break;
    default:
      break;
  }
  io::AwaitedCall<store::Settled> call(parts_.channel.home);
  io::Finished<store::Settled> finished{call, parts_.ledger.end(std::move(attempt), how, call)};
  const store::Settled settled = co_await finished;
  if (settled == store::Settled::refused) {
    // An operator changed it meanwhile, which an attempt under way does not allow.
    telemetry::log(
        LogLevel::error, "the end of a delivery was refused",
        {{"listener", std::string_view(name_)}, {"event", static_cast<std::int64_t>(key.event)}});
    co_return Fate{};
  }
  parts_.outcomes.note(key, {how.state, attempts, how.status, error});
  if (how.state != DeliveryState::failed) co_return Fate{};
  const Queue::Time now = parts_.channel.loop.now();
  const std::uint32_t counted = how.attempted ? attempts : attempts - 1;
  co_return Fate{false, how.held, due_at(how.due, now), counted};
}

}  // namespace onceproxy::delivery
