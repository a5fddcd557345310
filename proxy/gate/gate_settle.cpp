// How a reservation ends: what the outcome of a forward makes of it, and of the answer.
#include <algorithm>
#include <chrono>
#include <utility>

#include "policies/outcome.hpp"
#include "proxy/gate/gate.hpp"
#include "proxy/io/awaited_call.hpp"

namespace onceproxy::gate {

namespace {

using policies::Policy;
using policies::Refusal;
using telemetry::Ending;

/// The field without which a client cannot make sense of the status (RFC 9110 15.5.2, 15.5.8).
bool is_challenge(int status, std::string_view name) {
  return (status == 401 && policies::equals_ignoring_case(name, "www-authenticate")) ||
         (status == 407 && policies::equals_ignoring_case(name, "proxy-authenticate"));
}

/// The lines of the upstream's answer that a replay repeats.
std::string stored_head(const Policy& policy, const Answered& answered) {
  constexpr std::string_view colon = ": ";
  constexpr std::string_view line_end = "\r\n";
  std::size_t bytes = 0;
  for (const policies::Field& field : answered.headers) {
    bytes += field.name.size() + colon.size() + field.value.size() + line_end.size();
  }
  std::string head;
  head.reserve(bytes);
  for (const policies::Field& field : answered.headers) {
    const bool dropped =
        std::ranges::any_of(policy.replay.drop_headers,
                            [&](const std::string& name) {
                              return policies::equals_ignoring_case(name, field.name);
                            }) &&
        !is_challenge(answered.status, field.name);
    if (!dropped) head.append(field.name).append(colon).append(field.value).append(line_end);
  }
  return head;
}

/// For the client. An answer that is not remembered is not given: after a reservation has ended,
/// another request may have been executed, and its answer is the one that duplicates get.
std::string_view why_unsaved(store::Settled settled) {
  return settled == store::Settled::refused
             ? "The operation was done, but its reservation had ended before that. Another request "
               "may have been forwarded; retry later to get what is remembered."
             : "The operation was done, but its completion could not be stored; retry later.";
}

policies::Classified classified(const Policy& policy, const Answered& answered) {
  return policies::classify(policy.outcome,
                            {answered.status, answered.headers, answered.body, answered.whole},
                            policy.replay.body_bytes_max);
}

/// For operators: why an answer leaves the outcome unknown.
std::string ambiguity(const policies::Classified& why) {
  if (!why.unreadable.empty())
    return "a rule of outcome.rules could not be evaluated: " + why.unreadable;
  return why.rule ? "ambiguous by outcome.rules[" + std::to_string(*why.rule) + "]"
                  : "ambiguous status";
}

}  // namespace

Decision decision_of(const NotSent& not_sent) {
  return not_sent.reason == NotSent::Reason::busy ? Decision::busy : Decision::upstream_error;
}

Answer answer_not_sent(const NotSent& not_sent, const Policy* policy) {
  if (not_sent.reason == NotSent::Reason::busy) {
    Answer standard = busy(not_sent.detail);
    return policy == nullptr ? standard : refusal(*policy, Refusal::busy, std::move(standard));
  }
  return answer_unknown({not_sent.reason == NotSent::Reason::timeout, not_sent.detail}, policy);
}

Answer answer_unknown(const Unknown& unknown, const Policy* policy) {
  Answer standard =
      unknown.timeout ? upstream_timeout(unknown.detail) : upstream_unreachable(unknown.detail);
  if (policy == nullptr) return standard;
  return refusal(*policy, Refusal::upstream_error, std::move(standard));
}

io::Task<store::Settled> Gate::complete(Forward forward, const Answered& answered) {
  store::StoredAnswer stored;
  stored.status = answered.status;
  // With a fixed answer nothing is kept to replay; should the policy change its mind within the
  // window, the duplicate is answered so instead of getting an empty body.
  stored.replayable = answered.whole && !forward.policy->on_duplicate;
  stored.not_kept = answered.whole ? store::NotKept::unwanted : answered.not_kept;
  if (stored.replayable) {
    stored.head = stored_head(*forward.policy, answered);
    stored.body = answered.body;
  }
  io::AwaitedCall<store::Settled> call(loop_);
  io::Finished<store::Settled> finished{
      call, store_.complete(std::move(forward.permit), std::move(stored), forward.ends, call)};
  const store::Settled settled = co_await finished;
  co_return settled;
}

io::Task<store::Settled> Gate::release(store::Permit permit, store::NotDone why) {
  io::AwaitedCall<store::Settled> call(loop_);
  io::Finished<store::Settled> finished{call, store_.release(std::move(permit), why, call)};
  const store::Settled settled = co_await finished;
  co_return settled;
}

io::Task<store::Settled> Gate::mark_unknown(store::Permit permit, std::string_view detail) {
  io::AwaitedCall<store::Settled> call(loop_);
  io::Finished<store::Settled> finished{call, store_.mark_unknown(std::move(permit), detail, call)};
  const store::Settled settled = co_await finished;
  co_return settled;
}

/// Tells how long the service took; if it was given up, it took that long at least.
void Gate::observe(const Rules& rules, const Forward& forward, const Outcome& outcome) {
  LeaseEstimate* const estimate = rules.estimate(*forward.policy);
  if (estimate == nullptr) return;
  const auto* const unknown = std::get_if<Unknown>(&outcome);
  const bool told = std::holds_alternative<Answered>(outcome) || (unknown && unknown->timeout);
  if (told) estimate->observe(std::chrono::steady_clock::now() - forward.begun);
}

io::Task<Settlement> Gate::settle(const Rules& rules, Forward forward, const Outcome& outcome) {
  observe(rules, forward, outcome);
  const telemetry::PolicyId id = rules.id(*forward.policy);
  const bool watched = forward.watched;
  // A policy in shadow mode changes no answer.
  const Policy* const words = watched ? nullptr : forward.policy;
  store::Settled settled{};
  Settlement settlement{Decision::forwarded, std::nullopt};
  Ending ending = Ending::unknown;
  if (const auto* answered = std::get_if<Answered>(&outcome)) {
    const policies::Classified says = classified(*forward.policy, *answered);
    switch (says.verdict) {
      case policies::Verdict::complete:
        settled = co_await complete(std::move(forward), *answered);
        ending = settled == store::Settled::done ? Ending::completed : Ending::unsaved;
        if (settled != store::Settled::done && !watched) {
          settlement = {Decision::store_error, store_unavailable(why_unsaved(settled))};
        }
        break;
      case policies::Verdict::release:
        settled = co_await release(std::move(forward.permit), {answered->status, {}});
        ending = Ending::released;
        break;
      case policies::Verdict::ambiguous: {
        const std::string why = ambiguity(says);
        settled = co_await mark_unknown(std::move(forward.permit), why);
        break;
      }
    }
  } else if (const auto* not_sent = std::get_if<NotSent>(&outcome)) {
    settled = co_await release(std::move(forward.permit), {0, not_sent->detail});
    ending = Ending::not_sent;
    settlement = {decision_of(*not_sent), answer_not_sent(*not_sent, words)};
  } else {
    const auto& unknown = std::get<Unknown>(outcome);
    settled = co_await mark_unknown(std::move(forward.permit), unknown.detail);
    settlement = {Decision::upstream_error, answer_unknown(unknown, words)};
  }
  metrics_.reservation(id, -1);
  metrics_.operation(id, ending);
  if (settled == store::Settled::refused) metrics_.permit_refused(id);
  co_return settlement;
}

}  // namespace onceproxy::gate
