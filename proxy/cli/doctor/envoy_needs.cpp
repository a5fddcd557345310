#include "proxy/cli/doctor/envoy_needs.hpp"

#include <algorithm>

namespace onceproxy::doctor {

namespace {

void add(const policies::Policy& policy, EnvoyNeeds& needs) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  needs.lease = std::max(needs.lease, duration_cast<milliseconds>(policy.terms.lease));
  if (policy.in_flight.action == policies::InFlightRule::Action::wait) {
    needs.wait = std::max(needs.wait, policy.in_flight.timeout);
  }
  if (policy.entity) needs.wait = std::max(needs.wait, policy.entity->wait);
}

}  // namespace

EnvoyNeeds envoy_needs(const config::Settings& settings) {
  EnvoyNeeds needs;
  needs.response = settings.upstream.response_timeout;
  needs.body_bytes = settings.limits.body_bytes;
  for (const policies::Policy& policy : settings.policies) {
    add(policy, needs);
    for (const policies::Override& one : policy.overrides) add(*one.policy, needs);
  }
  return needs;
}

}  // namespace onceproxy::doctor
