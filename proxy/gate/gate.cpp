#include "proxy/gate/gate.hpp"

#include <chrono>
#include <utility>

#include "policies/earlier.hpp"
#include "policies/select.hpp"
#include "policies/share.hpp"
#include "proxy/gate/event_head.hpp"
#include "proxy/gate/head_lines.hpp"
#include "proxy/io/awaited_call.hpp"

namespace onceproxy::gate {

namespace {

using policies::OnStoreError;
using policies::Policy;
using telemetry::Unprotected;

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

/// An event while it is stored, with all that its draft refers to.
struct Event {
  Event(const Policy& policy, const policies::RequestView& request,
        const store::Fingerprint& fingerprint, const Asking& asking, const Rules& rules)
      : listeners(rules.listeners(policy)) {
    if (!listeners || listeners->empty() || !asking.body) return;
    head = event_head(request.headers, *listeners, policy.delivery->to_upstream);
    for (const policies::Listener& listener : *listeners) names.push_back(listener.name);
    answer = accepted(fingerprint, asking.date);
    draft.method = request.method;
    draft.target = request.target;
    draft.head = head;
    draft.body = *asking.body;
    draft.listeners = names;
    draft.acknowledgement = {answer.status, answer.head, answer.body, true};
    draft.keep_dead = policy.delivery->dead_letter;
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  const std::shared_ptr<const policies::ListenerList> listeners;
  std::string head;
  std::vector<std::string_view> names;
  Answer answer;
  store::EventDraft draft;
};

/// Why an event cannot be stored at all; empty where it can.
std::string_view hindrance(const Event& event, const Asking& asking) {
  if (!asking.body)
    return "The body was not read, so the request cannot be stored for its listeners.";
  if (event.names.empty()) return "The listeners of this policy are not known yet.";
  return {};
}

}  // namespace

io::Task<std::optional<store::StoredAnswer>> Gate::acknowledged(const Policy& policy,
                                                                store::Fingerprint event) {
  const policies::Acknowledge& how = policy.delivery->acknowledge;
  if (acknowledger_ == nullptr || how.when == policies::Acknowledge::When::stored) {
    co_return std::nullopt;
  }
  io::AwaitedCall<Acknowledged> call(loop_);
  io::Finished<Acknowledged> finished{call, acknowledger_->wait(event, how, call)};
  Acknowledged result = co_await finished;
  co_return std::move(result.answer);
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
  std::optional<Event> event;
  if (operation->policy->delivery && !watch) {
    event.emplace(*operation->policy, request, operation->fingerprint, asking, rules);
    event->draft.ends = operation->ends;
    reserve.event = &event->draft;
    if (const std::string_view why = hindrance(*event, asking); !why.empty()) {
      Admission admission{refused_store(*operation->policy, why)};
      admission.fingerprint = operation->fingerprint;
      note(policy, {request.path}, asking, admission);
      co_return admission;
    }
  }
  io::AwaitedCall<store::ReserveResult> call(loop_);
  io::Finished<store::ReserveResult> finished{call, store_.reserve(reserve, call)};
  store::ReserveResult result = co_await finished;
  if (call.turn_wait.count() >= 0) metrics_.entity_wait(rules.id(policy), call.turn_wait);
  std::string origin;
  if (auto* completed = std::get_if<store::Completed>(&result)) {
    origin = std::move(completed->trace);
    // A duplicate gets what the first one gets, who may be waiting yet: then the answer is still
    // the one that was stored with the event.
    if (event && completed->answer.body == event->draft.acknowledgement.body) {
      auto told = co_await acknowledged(*operation->policy, operation->fingerprint);
      if (told) completed->answer = *std::move(told);
    }
  }
  const policies::Subject asked{policy.match, request, body};
  if (std::holds_alternative<store::Accepted>(result)) {
    const auto number = std::get<store::Accepted>(result).event;
    metrics_.operation(rules.id(policy), telemetry::Ending::completed);
    auto told = co_await acknowledged(*operation->policy, operation->fingerprint);
    if (told) {
      const bool dated = has_line(told->head, "date");
      event->answer = {told->status, std::move(told->head), std::move(told->body), dated};
    }
    Admission admission{Accepted{number, std::move(event->answer)}};
    admission.fingerprint = operation->fingerprint;
    co_return admission;
  }
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
    const bool forwards = policy.on_store_error == OnStoreError::forward && !policy.delivery;
    if (!pending && forwards) return PassThrough{};
  }
  return std::visit(
      [&]<typename Refused>(const Refused& refused) -> AdmissionKind {
        if constexpr (std::is_same_v<Refused, store::Reserved> ||
                      std::is_same_v<Refused, store::Accepted> ||
                      std::is_same_v<Refused, store::Completed>) {
          return PassThrough{};  // dealt with above
        } else {
          return refuse(policy, refused);
        }
      },
      result);
}

}  // namespace onceproxy::gate
