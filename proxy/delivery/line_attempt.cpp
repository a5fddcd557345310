// One attempt of a delivery: it is claimed, sent, interpreted and recorded.
#include <algorithm>
#include <utility>

#include "proxy/delivery/attempt_result.hpp"
#include "proxy/delivery/attempt_trace.hpp"
#include "proxy/delivery/backoff.hpp"
#include "proxy/delivery/line.hpp"
#include "proxy/delivery/request_head.hpp"
#include "proxy/delivery/retry_after.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy::delivery {

namespace {

using std::chrono::milliseconds;
using store::DeliveryState;
using telemetry::LogLevel;

/// The wait before the store is asked again, if it was unavailable or the delivery was taken.
constexpr milliseconds ask_again_after{1'000};
constexpr milliseconds taken_again_after{100};
/// The longest pause for a Retry-After. After it one delivery is tried.
constexpr std::chrono::hours pause_max{1};
/// A shorter pause for a Retry-After is not worth a line in the log.
constexpr std::chrono::seconds told_pause_min{30};

std::string_view value_of(const http::ResponseHead& head, std::string_view name) {
  for (const policies::Field& field : head.fields) {
    if (policies::equals_ignoring_case(field.name, name)) return field.value;
  }
  return {};
}

}  // namespace

/// The delivery was not sent: it says nothing of the listener, and takes nothing of its rate.
void Line::withdraw() {
  circuit_.withdrawn();
  pace_.give_back();
}

io::Task<Line::Fate> Line::attempt(const Queue::Row& row) {
  const Queue::Time now = parts_.channel.loop.now();
  const store::DeliveryKey key{row.event, name_};
  io::AwaitedCall<store::BeginResult> call(parts_.channel.home);
  // Of a listener that is gone, everything is to end, whenever it was to go again.
  const bool early = row.early || !channel_in_plan_;
  const bool answered = early ? parts_.ledger.begin(key, call) : parts_.ledger.begin_due(key, call);
  io::Finished<store::BeginResult> finished{call, answered};
  store::BeginResult begun = co_await finished;
  note_unrecorded(key, begun);
  auto* const attempt = std::get_if<store::Attempt>(&begun);
  if (attempt == nullptr) {
    withdraw();
    if (std::holds_alternative<store::Taken>(begun)) {
      co_return Fate{false, false, now + taken_again_after, row.attempts};
    }
    if (const auto* const later = std::get_if<store::Later>(&begun)) {
      co_return Fate{false, later->held, due_at(later->due, parts_.channel.loop.now()),
                     later->attempts};
    }
    if (std::holds_alternative<store::Unavailable>(begun)) {
      co_return Fate{false, false, now + ask_again_after, row.attempts};
    }
    if (std::holds_alternative<store::Cancelled>(begun)) {
      parts_.outcomes.note(key,
                           {DeliveryState::cancelled, row.attempts, 0, "its entity is closed"});
    } else if (parts_.ledger.shared()) {
      parts_.outcomes.read_again(row.event);
    }
    co_return Fate{};
  }
  std::shared_ptr<const store::Event> event = parts_.events.get(row.event);
  if (!event) {
    auto read = parts_.ledger.event(row.event);
    if (const auto* const unreadable = std::get_if<store::Unreadable>(&read)) {
      withdraw();
      tell_unreadable("an event for a listener cannot be read", unreadable->why, now);
      co_return Fate{false, false, now + ask_again_after, row.attempts};
    }
    event = std::get<std::shared_ptr<const store::Event>>(std::move(read));
    if (event) parts_.events.put(event);
  }
  store::AttemptEnd how;
  how.attempted = false;
  if (!event) {
    withdraw();
    how.state = DeliveryState::dead;
    Fate fate =
        co_await end(std::move(*attempt), how, "its payload is not kept any more", row.attempts);
    co_return fate;
  }
  // The active plan may change before this has ended.
  const std::shared_ptr<const Plan> plan = parts_.plan;
  const Route* const route = plan->route(event->policy, name_);
  if (route == nullptr && parts_.ledger.shared() && !attempt->orphaned()) {
    // Another process may have the route, or this one is about to have it.
    withdraw();
    co_return Fate{false, false, now + ask_again_after, row.attempts};
  }
  if (route == nullptr || !channel_ || !route->unusable.empty()) {
    withdraw();
    const bool removed = route == nullptr || !channel_;
    how.state = removed ? DeliveryState::removed : DeliveryState::dead;
    std::string why = removed ? "the listener was removed" : route->unusable;
    if (removed) removals_.note(event->policy);
    note_given_up(*event, how, why);
    Fate fate = co_await end(std::move(*attempt), how, std::move(why), row.attempts);
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
  AttemptCall::Terms terms{listener.timeout};
  if (to_upstream) {
    // These three timeouts also end an attempt one by one, as they end a forward.
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
    AttemptCall call(parts_.channel.loop, channel->pool(), setup, event->method, turns, terms);
    std::function<void()> sent = [&attempt] { attempt.sent(); };
    call.unless([&attempt] { return attempt.lapsed(); });
    const io::Stream::Parts parts{head, event->body};
    co_await call.run(parts, std::move(sent));
    if (parts_.aborting && call.status() == 0) {
      // The result is not recorded, so the delivery is pending as before, and is attempted again
      // after the next start.
      if (!call.not_sent()) ++counts_->unrecorded;
      co_return Fate{false, false, Queue::Time::max(), number - 1};
    }
    judge(call, route, number, how, error);
    note_given_up(*event, how, error);
    trace.record(*event, name_, number, how.status, how.state, error);
  }
  Fate fate = co_await end(std::move(attempt), how, std::move(error), number);
  co_return fate;
}

/// The ledger may have written a result after it had said that it could not.
void Line::note_unrecorded(const store::DeliveryKey& key, const store::BeginResult& begun) {
  if (!unrecorded_.contains(key.event) || std::holds_alternative<store::Taken>(begun) ||
      std::holds_alternative<store::Unavailable>(begun)) {
    return;
  }
  unrecorded_.erase(key.event);
  if (!std::holds_alternative<store::Attempt>(begun)) return;
  ++counts_->unrecorded;
  telemetry::log(
      LogLevel::warn, "the result of an attempt was lost; the delivery is attempted again",
      {{"listener", std::string_view(name_)}, {"event", static_cast<std::int64_t>(key.event)}});
}

/// The audit log records only deliveries that were given up; the ledger has all others.
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

void Line::note_circuit(const AttemptCall& call, bool to_upstream) {
  const Queue::Time now = parts_.channel.loop.now();
  if (call.busy()) {
    withdraw();
    return;
  }
  const bool was_closed = circuit_.state(now) == Circuit::State::closed;
  if (call.status() != 0 && !is_trouble(call.status())) {
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
                    {"error", std::string_view(call.error())},
                    {"status", static_cast<std::int64_t>(call.status())}});
  }
}

/// No other figure shows that a listener waits because it has asked for that.
void Line::pause(std::chrono::seconds time, int status) {
  const Queue::Time now = parts_.channel.loop.now();
  if (paused_until_ <= now && time >= told_pause_min) {
    telemetry::log(LogLevel::warn, "a listener has asked for a pause, and its deliveries wait",
                   {{"listener", std::string_view(name_)},
                    {"status", static_cast<std::int64_t>(status)},
                    {"seconds", static_cast<std::int64_t>(time.count())}});
  }
  paused_until_ = std::max(paused_until_, now + time);
}

milliseconds Line::delay_after(const AttemptCall& call, const Route& route, std::uint32_t number) {
  milliseconds wait = delay(route.listener->backoff, number, random_share());
  if (call.status() == 0) return wait;
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(parts_.clock.now().time_since_epoch());
  const auto asked = retry_after(value_of(call.head(), "retry-after"), now);
  if (!asked) return wait;
  // Both statuses describe the listener and not this event.
  if (call.status() == 429 || call.status() == 503) {
    pause(std::min<std::chrono::seconds>(*asked, std::chrono::seconds(pause_max)), call.status());
  }
  return std::max<milliseconds>(wait, *asked);
}

/// Computes the result of the attempt. `how.error` is not set here; `error` is its text.
void Line::judge(const AttemptCall& call, const Route& route, std::uint32_t number,
                 store::AttemptEnd& how, std::string& error) {
  const policies::Policy& policy = *route.policy;
  const bool to_upstream = policy.delivery->to_upstream;
  const bool holds = policy.terms.unknown == store::OnUnknown::hold;
  note_circuit(call, to_upstream);
  AttemptResult result = AttemptResult::retry;
  if (call.status() != 0 && to_upstream) {
    const policies::AnswerView answer{call.status(), call.head().fields, call.body(),
                                      call.body_whole()};
    result = judge_upstream(
        policies::classify(policy.outcome, answer, policy.replay.body_bytes_max).verdict, holds);
  } else if (call.status() != 0) {
    result = judge_listener(call.status());
  } else if (!call.not_sent()) {
    result = judge_unanswered(to_upstream, holds);
  }
  how.status = call.status();
  how.attempted = !call.busy();
  error = call.error();
  switch (result) {
    case AttemptResult::notified:
      how.state = DeliveryState::notified;
      return;
    case AttemptResult::dead:
      how.state = DeliveryState::dead;
      error = "the listener answered 410: it no longer exists";
      return;
    case AttemptResult::hold:
      how.state = DeliveryState::failed;
      how.held = true;
      error = "outcome unknown, held for an operator: " +
              (error.empty() ? "status " + std::to_string(how.status) : error);
      return;
    case AttemptResult::retry:
      break;
  }
  const milliseconds wait = delay_after(call, route, number);
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
    if (how.attempted) ++counts_->unrecorded;
    // An operator cannot change a delivery while an attempt is under way. Another process takes a
    // delivery over only from a process that gave no sign of life.
    telemetry::log(
        LogLevel::error,
        parts_.ledger.shared()
            ? "the end of a delivery was refused: another process has taken it over"
            : "the end of a delivery was refused",
        {{"listener", std::string_view(name_)}, {"event", static_cast<std::int64_t>(key.event)}});
    co_return Fate{};
  }
  parts_.outcomes.note(key, {how.state, attempts, how.status, error});
  const Queue::Time now = parts_.channel.loop.now();
  const std::uint32_t counted = how.attempted ? attempts : attempts - 1;
  // The ledger writes it later, and says Taken until then. If it cannot, the delivery is attempted
  // again, before the later events of its entity.
  if (settled == store::Settled::failed) {
    if (how.attempted) unrecorded_.insert(key.event);
    co_return Fate{false, false, now + ask_again_after, counted};
  }
  if (how.state != DeliveryState::failed) co_return Fate{};
  // The listener may have been removed meanwhile: then the delivery is to end at once.
  if (!channel_in_plan_) co_return Fate{false, false, Queue::Time(), counted};
  co_return Fate{false, how.held, due_at(how.due, now), counted};
}

}  // namespace onceproxy::delivery
