#include "proxy/gate/gate.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "policies/outcome.hpp"
#include "policies/select.hpp"

namespace onceproxy::gate {

namespace {

using policies::OnMissing;
using policies::OnStoreError;
using policies::Policy;
using telemetry::Decision;
using telemetry::Ending;

/// A store call that a coroutine awaits. The store resumes it on the gate's own loop, so that
/// setting the handle after the verb was called is in time.
template <typename Result>
struct AwaitedCall : store::Call<Result> {
  explicit AwaitedCall(store::Loop& loop) : store::Call<Result>(loop) {
    this->resume = [](store::CallBase& call) { static_cast<AwaitedCall&>(call).waiter.resume(); };
  }
  std::coroutine_handle<> waiter;
};

/// co_await finished(call, answered): suspends unless the verb answered at once.
template <typename Result>
struct Finished {
  AwaitedCall<Result>& call;
  bool answered;

  bool await_ready() const noexcept { return answered; }
  void await_suspend(std::coroutine_handle<> waiter) const noexcept { call.waiter = waiter; }
  Result await_resume() const { return std::move(*call.result); }
};

std::string_view words(store::Unavailable::Reason reason) {
  using Reason = store::Unavailable::Reason;
  switch (reason) {
    case Reason::failed:
      return "The store failed; nothing was forwarded.";
    case Reason::full:
      return "The store is full; new operations are refused, known ones answer.";
    case Reason::pending:
      return "Too many operations are under way.";
    case Reason::corrupt:
      return "What the store holds for this operation cannot be read.";
    case Reason::closing:
      return "The proxy is shutting down.";
  }
  return "";
}

/// The lines of the upstream's answer that a replay repeats.
std::string stored_head(const Policy& policy, std::span<const policies::Field> headers) {
  std::string head;
  for (const policies::Field& field : headers) {
    const bool dropped = std::ranges::any_of(
        policy.replay.drop_headers,
        [&](const std::string& name) { return policies::equals_ignoring_case(name, field.name); });
    if (!dropped) head.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  return head;
}

}  // namespace

Decision decision_of(const NotSent& not_sent) {
  return not_sent.reason == NotSent::Reason::busy ? Decision::busy : Decision::upstream_error;
}

Answer answer_not_sent(const NotSent& not_sent) {
  switch (not_sent.reason) {
    case NotSent::Reason::busy:
      return busy(not_sent.detail);
    case NotSent::Reason::timeout:
      return upstream_timeout(not_sent.detail);
    case NotSent::Reason::unreachable:
      break;
  }
  return upstream_unreachable(not_sent.detail);
}

Answer answer_unknown(const Unknown& unknown) {
  return unknown.timeout ? upstream_timeout(unknown.detail) : upstream_unreachable(unknown.detail);
}

Task<Admission> Gate::admit(const Rules& rules, const Policy& policy,
                            const policies::RequestView& request, policies::Document& body,
                            std::string_view request_id) {
  if (rules.enforcement(policy).mode == policies::Enforcement::Mode::off) {
    co_return Admission{PassThrough{}, std::nullopt};
  }
  const auto operation = policies::select_operation(policy, request, body);
  if (!operation) {
    const policies::SelectError& error = operation.error();
    if (error.kind == policies::SelectError::Kind::bad_key) {
      co_return Admission{Reply{Decision::bad_key, bad_key(error.detail)}, std::nullopt};
    }
    if (policy.on_missing == OnMissing::pass) co_return Admission{PassThrough{}, std::nullopt};
    co_return Admission{Reply{Decision::missing_key, missing_key(error.detail)}, std::nullopt};
  }
  const store::ReserveRequest reserve{operation->fingerprint, operation->payload, policy.terms,
                                      policy.name, request_id};
  AwaitedCall<store::ReserveResult> call(loop_);
  Finished<store::ReserveResult> finished{call, store_.reserve(reserve, call)};
  store::ReserveResult result = co_await finished;
  Verdict verdict = admission_of(rules, policy, std::move(result));
  co_return Admission{std::move(verdict), operation->fingerprint};
}

Verdict Gate::admission_of(const Rules& rules, const Policy& policy, store::ReserveResult result) {
  if (auto* reserved = std::get_if<store::Reserved>(&result)) {
    // A further attempt means that the one before it never ended and its lease did.
    if (reserved->attempt > 1) metrics_.lease_expired(rules.id(policy));
    metrics_.reservation(rules.id(policy), +1);
    return Forward{std::move(reserved->permit), &policy};
  }
  if (auto* completed = std::get_if<store::Completed>(&result)) {
    return duplicate(rules, policy, std::move(*completed));
  }
  if (std::holds_alternative<store::InFlight>(result)) {
    return Reply{Decision::in_flight, in_flight()};
  }
  if (std::holds_alternative<store::Mismatch>(result)) {
    return Reply{Decision::mismatch, mismatch()};
  }
  if (const auto* held_result = std::get_if<store::Held>(&result)) {
    return Reply{Decision::held, held(held_result->lease_left)};
  }
  const auto reason = std::get<store::Unavailable>(result).reason;
  if (reason == store::Unavailable::Reason::pending) {
    return Reply{Decision::busy, busy(words(reason))};
  }
  if (policy.on_store_error == OnStoreError::forward) return PassThrough{};
  return Reply{Decision::store_error, store_unavailable(words(reason))};
}

Verdict Gate::duplicate(const Rules& rules, const Policy& policy, store::Completed completed) {
  metrics_.duplicate(rules.id(policy), clock_.now() - completed.completed_at);
  if (policy.on_duplicate) return Reply{Decision::suppressed, fixed(*policy.on_duplicate)};
  if (!completed.answer.replayable) return Reply{Decision::not_replayable, not_replayable()};
  return Reply{Decision::replayed, replay(std::move(completed.answer))};
}

Task<store::Settled> Gate::complete(Forward forward, const Answered& answered) {
  store::StoredAnswer stored;
  stored.status = answered.status;
  // With a fixed answer nothing is kept to replay; should the policy change its mind within the
  // window, the duplicate is told so instead of getting an empty body.
  stored.replayable = answered.whole && !forward.policy->on_duplicate;
  if (stored.replayable) {
    stored.head = stored_head(*forward.policy, answered.headers);
    stored.body = answered.body;
  }
  AwaitedCall<store::Settled> call(loop_);
  Finished<store::Settled> finished{
      call, store_.complete(std::move(forward.permit), std::move(stored), call)};
  const store::Settled settled = co_await finished;
  co_return settled;
}

Task<store::Settled> Gate::release(store::Permit permit) {
  AwaitedCall<store::Settled> call(loop_);
  Finished<store::Settled> finished{call, store_.release(std::move(permit), call)};
  const store::Settled settled = co_await finished;
  co_return settled;
}

Task<store::Settled> Gate::mark_unknown(store::Permit permit, std::string_view detail) {
  AwaitedCall<store::Settled> call(loop_);
  Finished<store::Settled> finished{call, store_.mark_unknown(std::move(permit), detail, call)};
  const store::Settled settled = co_await finished;
  co_return settled;
}

Task<Settlement> Gate::settle(const Rules& rules, Forward forward, const Outcome& outcome) {
  const telemetry::PolicyId id = rules.id(*forward.policy);
  store::Settled settled{};
  Settlement settlement{Decision::forwarded, std::nullopt};
  Ending ending = Ending::unknown;
  if (const auto* answered = std::get_if<Answered>(&outcome)) {
    switch (policies::classify(forward.policy->outcome, answered->status)) {
      case policies::Verdict::complete:
        settled = co_await complete(std::move(forward), *answered);
        ending = Ending::completed;
        if (settled == store::Settled::failed) {
          ending = Ending::unsaved;
          settlement = {Decision::store_error,
                        store_unavailable("The operation was done, but its completion could not "
                                          "be stored; ask again later.")};
        }
        break;
      case policies::Verdict::release:
        settled = co_await release(std::move(forward.permit));
        ending = Ending::released;
        break;
      case policies::Verdict::ambiguous:
        settled = co_await mark_unknown(std::move(forward.permit), "ambiguous status");
        break;
    }
  } else if (const auto* not_sent = std::get_if<NotSent>(&outcome)) {
    settled = co_await release(std::move(forward.permit));
    ending = Ending::not_sent;
    settlement = {decision_of(*not_sent), answer_not_sent(*not_sent)};
  } else {
    const auto& unknown = std::get<Unknown>(outcome);
    settled = co_await mark_unknown(std::move(forward.permit), unknown.detail);
    settlement = {Decision::upstream_error, answer_unknown(unknown)};
  }
  metrics_.reservation(id, -1);
  metrics_.operation(id, ending);
  if (settled == store::Settled::refused) metrics_.permit_refused(id);
  co_return settlement;
}

}  // namespace onceproxy::gate
