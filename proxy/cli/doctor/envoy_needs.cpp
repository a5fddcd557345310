#include "proxy/cli/doctor/envoy_needs.hpp"

#include <algorithm>

namespace onceproxy::doctor {

namespace {

using std::chrono::milliseconds;

/// As in proxy/ext_proc (call_decision.cpp, more_time.hpp).
constexpr milliseconds reply_slack{10'000};
constexpr milliseconds extension_max{3'600'000};

milliseconds wait_of(const policies::Policy& policy) {
  milliseconds wait{0};
  if (policy.in_flight.action == policies::InFlightRule::Action::wait) {
    wait += policy.in_flight.timeout;
  }
  if (policy.entity) wait += policy.entity->wait;
  if (policy.delivery && policy.delivery->acknowledge.when != policies::Acknowledge::When::stored) {
    wait += policy.delivery->acknowledge.timeout;
  }
  return wait;
}

void add(const policies::Policy& policy, EnvoyNeeds& needs) {
  using std::chrono::duration_cast;
  needs.lease = std::max(needs.lease, duration_cast<milliseconds>(policy.terms.lease));
  needs.wait = std::max(needs.wait, wait_of(policy));
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
  if (needs.wait.count() > 0) {
    needs.extension =
        std::min(needs.wait + reply_slack + settings.upstream.connect_timeout, extension_max);
  }
  return needs;
}

}  // namespace onceproxy::doctor
