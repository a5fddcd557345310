#include "proxy/gate/gate.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "policies/earlier.hpp"
#include "policies/outcome.hpp"
#include "policies/select.hpp"
#include "policies/share.hpp"

namespace onceproxy::gate {

namespace {

using policies::OnStoreError;
using policies::Policy;
using policies::Refusal;
using telemetry::Ending;
using telemetry::Unprotected;

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

policies::Classified classified(const Policy& policy, const Answered& answered) {
  return policies::classify(policy.outcome,
                            {answered.status, answered.headers, answered.body, answered.whole},
                            policy.replay.body_bytes_max);
}

/// For operators: why an answer leaves the outcome unknown.
std::string ambiguity(const policies::Classified& why) {
  if (!why.unreadable.empty())
    return "a rule of outcome.rules could not be asked: " + why.unreadable;
  return why.rule ? "ambiguous by outcome.rules[" + std::to_string(*why.rule) + "]"
                  : "ambiguous status";
}

/// Where the policy only watches: everything goes on, and what would have been decided is noted.
Admission watched(AdmissionKind verdict) {
  Admission admission;
  admission.shadow = Decision::passed;
  if (auto* forward = std::get_if<Forward>(&verdict)) {
    forward->watched = true;
    admission.shadow = Decision::forwarded;
    admission.verdict = std::move(*forward);
  } else if (const auto* reply = std::get_if<Reply>(&verdict)) {
    admission.shadow = reply->decision;
  }
  return admission;
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

store::ReserveRequest Gate::reserve_request(const Rules& rules,
                                            const policies::Operation& operation, bool watch,
                                            std::string_view path, const Asking& asking) {
  const Policy& policy = *operation.policy;
  store::ReserveRequest request;
  request.fingerprint = operation.fingerprint;
  request.payload = operation.payload;
  request.terms = policy.terms;
  request.terms.lease = rules.lease(policy);
  request.policy = policy.name;
  request.request_id = asking.request_id;
  request.path = path;
  request.trace_id = asking.trace_id;
  request.trace = asking.trace;
  request.bytes_kept = asking.bytes_kept;
  request.may_be_ended = rules.may_be_ended(policy);
  // A policy in shadow mode delays no request.
  if (!watch && policy.in_flight.action == policies::InFlightRule::Action::wait) {
    request.wait = policy.in_flight.timeout;
  }
  if (operation.entity) {
    store::EntityTerms& entity = request.entity.emplace();
    entity.key = operation.entity->key;
    entity.type = policy.entity->type;
    entity.id = operation.entity->id;
    if (!watch) entity.turn = policy.entity->wait;
    entity.sequence = operation.entity->sequence;
    entity.equal_passes = policy.entity->sequence && policy.entity->sequence->equal_passes;
    entity.closes = policy.entity->closes;
    entity.unless_closed = policy.entity->unless_closed;
  }
  if (operation.rate) {
    request.rate =
        store::RateTerms{*operation.rate, policy.rate_limit->limit, policy.rate_limit->per};
  }
  return request;
}

bool Gate::looks_back(const Rules& rules) const {
  const auto since = store_.digests_since();
  return since && clock_.now() < *since + rules.remembered_max();
}

io::Task<Admission> Gate::admit(const Rules& rules, const Policy& policy,
                                const policies::RequestView& request, policies::Document& body,
                                const Asking& asking) {
  const policies::Enforcement enforcement = rules.enforcement(policy);
  if (enforcement.mode == policies::Enforcement::Mode::off) {
    co_return unprotected(rules, policy, Unprotected::off);
  }
  const bool watch = enforcement.mode == policies::Enforcement::Mode::shadow;
  const auto operation = policies::select_operation(policy, request, body);
  if (!operation) {
    // A request without a fingerprint belongs to no share of them.
    if (enforcement.percent < 100) co_return unprotected(rules, policy, Unprotected::percent);
    Admission admission = unnamed(rules, policy, operation.error(), watch);
    note(policy, {request.path}, asking, admission);
    co_return admission;
  }
  std::optional<store::EarlierDigests> earlier;
  if (looks_back(rules)) earlier = policies::earlier_digests(policy, *operation, request, body);
  // What an earlier version protected stays protected.
  if (!policies::in_share(operation->fingerprint, enforcement.percent) &&
      !(earlier && policies::in_share(earlier->fingerprint, enforcement.percent))) {
    Admission admission = unprotected(rules, policy, Unprotected::percent);
    admission.fingerprint = operation->fingerprint;
    co_return admission;
  }
  store::ReserveRequest reserve = reserve_request(rules, *operation, watch, request.path, asking);
  reserve.earlier = earlier;
  AwaitedCall<store::ReserveResult> call(loop_);
  Finished<store::ReserveResult> finished{call, store_.reserve(reserve, call)};
  store::ReserveResult result = co_await finished;
  if (call.turn_wait.count() >= 0) metrics_.entity_wait(rules.id(policy), call.turn_wait);
  std::string origin;
  if (auto* completed = std::get_if<store::Completed>(&result))
    origin = std::move(completed->trace);
  const policies::Subject asked{policy.match, request, body};
  AdmissionKind verdict = verdict_of(rules, *operation->policy, asked, std::move(result));
  if (auto* forward = std::get_if<Forward>(&verdict)) forward->ends = operation->ends;
  // The store's results let pass where it failed and the policy forwards then, and nowhere else.
  if (!watch && std::holds_alternative<PassThrough>(verdict)) {
    metrics_.unprotected(rules.id(policy), Unprotected::store);
  }
  Admission admission = watch ? watched(std::move(verdict)) : Admission{std::move(verdict)};
  admission.fingerprint = operation->fingerprint;
  admission.origin = std::move(origin);
  store::Subject subject{request.path};
  if (reserve.entity) {
    subject.entity_type = reserve.entity->type;
    subject.entity_id = reserve.entity->id;
  }
  note(policy, subject, asking, admission);
  co_return admission;
}

Admission Gate::unnamed(const Rules& rules, const Policy& policy, const policies::SelectError& why,
                        bool watch) {
  using Kind = policies::SelectError::Kind;
  const bool unreadable = why.kind == Kind::unreadable;
  const bool pass = policies::lets_pass(policy, why.kind);
  AdmissionKind verdict;
  if (!pass) verdict = refuse(policy, why);
  if (pass && !watch) {
    metrics_.unprotected(rules.id(policy),
                         unreadable ? Unprotected::unreadable : Unprotected::missing);
  }
  Admission admission = watch ? watched(std::move(verdict)) : Admission{std::move(verdict)};
  admission.error = policies::told(why);
  return admission;
}

void Gate::note(const Policy& policy, const store::Subject& subject, const Asking& asking,
                const Admission& admission) {
  if (!audit_.wanted() || std::holds_alternative<Forward>(admission.verdict)) return;
  const auto* const reply = std::get_if<Reply>(&admission.verdict);
  store::AuditRefusal refusal;
  refusal.time = clock_.now();
  refusal.fingerprint = admission.fingerprint;
  const Decision unreserved = admission.shadow ? Decision::forwarded : Decision::passed;
  refusal.decision = name(reply != nullptr ? reply->decision : unreserved);
  if (admission.shadow) refusal.shadow = name(*admission.shadow);
  refusal.policy = policy.name;
  refusal.request_id = asking.request_id;
  refusal.trace_id = asking.trace_id;
  refusal.subject = subject;
  refusal.error = admission.error;
  audit_.note(refusal);
}

Admission Gate::unprotected(const Rules& rules, const Policy& policy, Unprotected reason) {
  metrics_.unprotected(rules.id(policy), reason);
  return Admission{};
}

AdmissionKind Gate::verdict_of(const Rules& rules, const Policy& policy,
                               const policies::Subject& asking, store::ReserveResult result) {
  if (auto* reserved = std::get_if<store::Reserved>(&result)) {
    // A further attempt means that the one before it never ended and its lease did.
    if (reserved->attempt > 1) metrics_.lease_expired(rules.id(policy));
    metrics_.reservation(rules.id(policy), +1);
    return Forward{std::move(reserved->permit), &policy, false, std::chrono::steady_clock::now()};
  }
  if (auto* completed = std::get_if<store::Completed>(&result)) {
    metrics_.duplicate(rules.id(policy), clock_.now() - completed->completed_at);
    return repeat(policy, std::move(*completed), asking);
  }
  if (const auto* unavailable = std::get_if<store::Unavailable>(&result)) {
    const bool pending = unavailable->reason == store::Unavailable::Reason::pending;
    if (!pending && policy.on_store_error == OnStoreError::forward) return PassThrough{};
  }
  return std::visit(
      [&]<typename Refused>(const Refused& refused) -> AdmissionKind {
        if constexpr (std::is_same_v<Refused, store::Reserved> ||
                      std::is_same_v<Refused, store::Completed>) {
          return PassThrough{};  // dealt with above
        } else {
          return refuse(policy, refused);
        }
      },
      result);
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
  AwaitedCall<store::Settled> call(loop_);
  Finished<store::Settled> finished{
      call, store_.complete(std::move(forward.permit), std::move(stored), forward.ends, call)};
  const store::Settled settled = co_await finished;
  co_return settled;
}

io::Task<store::Settled> Gate::release(store::Permit permit, store::NotDone why) {
  AwaitedCall<store::Settled> call(loop_);
  Finished<store::Settled> finished{call, store_.release(std::move(permit), why, call)};
  const store::Settled settled = co_await finished;
  co_return settled;
}

io::Task<store::Settled> Gate::mark_unknown(store::Permit permit, std::string_view detail) {
  AwaitedCall<store::Settled> call(loop_);
  Finished<store::Settled> finished{call, store_.mark_unknown(std::move(permit), detail, call)};
  const store::Settled settled = co_await finished;
  co_return settled;
}

/// Tells how long the service took; where it was given up, it took that long at least.
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
        ending = settled == store::Settled::failed ? Ending::unsaved : Ending::completed;
        if (settled == store::Settled::failed && !watched) {
          settlement = {Decision::store_error,
                        store_unavailable("The operation was done, but its completion could not "
                                          "be stored; ask again later.")};
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
