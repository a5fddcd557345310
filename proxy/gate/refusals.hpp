// Refusals: converts a result of the selection or the store to a decision and its answer, as the
// policy configures it. It does not call the store and does not count. Pure; thread-safe.
#pragma once

#include <string_view>

#include "policies/fields.hpp"
#include "policies/policy.hpp"
#include "policies/select.hpp"
#include "proxy/gate/answer.hpp"
#include "store/store.hpp"

namespace onceproxy::gate {

/// The request is not forwarded; this is the answer.
struct Reply {
  Decision decision;
  Answer answer;
};

Reply refuse(const policies::Policy& policy, const policies::SelectError& error);
/// The answer for a duplicate under way, as `in_flight` requires. If waiting was in vain, the
/// answer is the same as without waiting.
Reply refuse(const policies::Policy& policy, store::InFlight in_flight);
Reply refuse(const policies::Policy& policy, store::Mismatch mismatch);
Reply refuse(const policies::Policy& policy, const store::Held& held);
Reply refuse(const policies::Policy& policy, store::Stale stale);
Reply refuse(const policies::Policy& policy, const store::Closed& closed);
Reply refuse(const policies::Policy& policy, const store::RateLimited& limited);
Reply refuse(const policies::Policy& policy, store::NoTurn no_turn);
Reply refuse(const policies::Policy& policy, const store::Unavailable& unavailable);
/// The event cannot be stored; `why` is the reason.
Reply refused_store(const policies::Policy& policy, std::string_view why);
/// A duplicate of a completed operation: its stored answer, adapted to this request, or the
/// policy's fixed answer.
Reply repeat(const policies::Policy& policy, store::Completed completed,
             const policies::Subject& asking);

}  // namespace onceproxy::gate
