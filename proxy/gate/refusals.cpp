#include "proxy/gate/refusals.hpp"

#include <utility>

#include "policies/request_view.hpp"
#include "proxy/gate/replay.hpp"

namespace onceproxy::gate {

namespace {

using policies::InFlightRule;
using policies::Policy;
using policies::Refusal;

std::string_view words(store::Unavailable::Reason reason) {
  using Reason = store::Unavailable::Reason;
  switch (reason) {
    case Reason::failed:
      return "The store failed; nothing was forwarded.";
    case Reason::full:
      return "The store is full; new operations are refused, and known ones are answered.";
    case Reason::pending:
      return "Too many operations are under way.";
    case Reason::corrupt:
      return "The record of this operation cannot be read.";
    case Reason::closing:
      return "The proxy is shutting down.";
    case Reason::events:
      return "Events that are not delivered yet take all of delivery.max_bytes; new ones are "
             "refused.";
  }
  return "";
}

Reply refused(const Policy& policy, Refusal why, Answer standard) {
  return {decision_of(why), refusal(policy, why, std::move(standard))};
}

/// As the IETF draft spells its own, whatever the configuration's letters are.
std::string_view header_name(std::string_view name) {
  constexpr std::string_view draft = "Idempotency-Key";
  return policies::equals_ignoring_case(name, draft) ? draft : name;
}

/// The header that the policy takes the client's key from; empty if it takes none.
std::string_view key_header(const Policy& policy) {
  for (const policies::Selector& selector : policy.fingerprint) {
    if (selector.source == policies::Source::client_key) return header_name(selector.name);
  }
  return {};
}

}  // namespace

Reply refuse(const Policy& policy, const policies::SelectError& error) {
  const std::string_view header = header_name(error.key_header);
  if (error.kind == policies::SelectError::Kind::bad_key) {
    return refused(policy, Refusal::bad_key, bad_key(header, error.detail));
  }
  if (error.kind == policies::SelectError::Kind::unreadable) {
    return refused(policy, Refusal::unreadable, unreadable(error.detail));
  }
  return refused(policy, Refusal::missing_key, missing_key(header, error.detail, error.expected));
}

Reply refuse(const Policy& policy, store::InFlight why) {
  if (policy.in_flight.action == InFlightRule::Action::acknowledge && !why.ended) {
    return refused(policy, Refusal::acknowledged, acknowledged());
  }
  return refused(policy, Refusal::in_flight, in_flight(key_header(policy)));
}

Reply refuse(const Policy& policy, store::Mismatch) {
  return refused(policy, Refusal::mismatch, mismatch(key_header(policy)));
}

Reply refuse(const Policy& policy, const store::Held& why) {
  return refused(policy, Refusal::held, held(why.lease_left));
}

Reply refuse(const Policy& policy, store::Stale) {
  return refused(policy, Refusal::stale, stale());
}

Reply refuse(const Policy& policy, const store::Closed&) {
  return refused(policy, Refusal::closed, closed());
}

Reply refuse(const Policy& policy, const store::RateLimited& limited) {
  return refused(policy, Refusal::rate_limited, rate_limited(limited.retry_after));
}

Reply refuse(const Policy& policy, store::NoTurn) {
  return refused(policy, Refusal::busy, busy("The request did not get its entity's turn in time."));
}

Reply refuse(const Policy& policy, const store::Unavailable& unavailable) {
  const std::string_view why = words(unavailable.reason);
  if (unavailable.reason == store::Unavailable::Reason::pending) {
    return refused(policy, Refusal::busy, busy(why));
  }
  return refused(policy, Refusal::store_error, store_unavailable(why));
}

Reply refused_store(const Policy& policy, std::string_view why) {
  return refused(policy, Refusal::store_error, store_unavailable(why));
}

Reply repeat(const Policy& policy, store::Completed completed, const policies::Subject& asking) {
  if (policy.on_duplicate) return {Decision::suppressed, fixed(*policy.on_duplicate)};
  if (!completed.answer.replayable) {
    return refused(policy, Refusal::not_replayable, not_replayable(completed.answer.not_kept));
  }
  return {Decision::replayed, replay(std::move(completed.answer), policy.replay, asking)};
}

}  // namespace onceproxy::gate
