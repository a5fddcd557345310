// Refusals: from what selection or the store says to a decision and its answer, as the policy wants
// it. It neither asks the store nor counts.
// Pure; thread-safe.
#pragma once

#include <string_view>

#include "policies/fields.hpp"
#include "policies/policy.hpp"
#include "policies/select.hpp"
#include "proxy/gate/answer.hpp"
#include "store/store.hpp"

namespace onceproxy::gate {

/// Do not forward: this is the answer.
struct Reply {
  Decision decision;
  Answer answer;
};

Reply refuse(const policies::Policy& policy, const policies::SelectError& error);
/// As the policy's `in_flight` says; one that waited in vain is answered like one that did not
/// wait.
Reply refuse(const policies::Policy& policy, store::InFlight in_flight);
Reply refuse(const policies::Policy& policy, store::Mismatch mismatch);
Reply refuse(const policies::Policy& policy, const store::Held& held);
Reply refuse(const policies::Policy& policy, store::Stale stale);
Reply refuse(const policies::Policy& policy, const store::Closed& closed);
Reply refuse(const policies::Policy& policy, const store::RateLimited& limited);
Reply refuse(const policies::Policy& policy, store::NoTurn no_turn);
Reply refuse(const policies::Policy& policy, const store::Unavailable& unavailable);
/// The event cannot be stored, as `why` says.
Reply refused_store(const policies::Policy& policy, std::string_view why);
/// A completed operation: its answer again, as the request that asks can take it, or the policy's
/// fixed one.
Reply repeat(const policies::Policy& policy, store::Completed completed,
             const policies::Subject& asking);

}  // namespace onceproxy::gate
