#include "proxy/cli/doctor/envoy_needs.hpp"

#include <algorithm>

#include "policies/longest_wait.hpp"

namespace onceproxy::doctor {

namespace {

using std::chrono::milliseconds;

/// As in proxy/ext_proc (call_decision.cpp, more_time.hpp).
constexpr milliseconds reply_slack{10'000};
constexpr milliseconds extension_max{3'600'000};

void add(const policies::Policy& policy, EnvoyNeeds& needs) {
  using std::chrono::duration_cast;
  needs.lease = std::max(needs.lease, duration_cast<milliseconds>(policy.terms.lease));
}

}  // namespace

EnvoyNeeds envoy_needs(const config::Settings& settings) {
  EnvoyNeeds needs;
  needs.response = settings.upstream.response_timeout;
  needs.body_bytes = settings.limits.body_bytes;
  for (const policies::Policy& policy : settings.policies) {
    add(policy, needs);
    needs.wait = std::max(needs.wait, policies::longest_wait(policy));
    for (const policies::Override& one : policy.overrides) add(*one.policy, needs);
  }
  if (needs.wait.count() > 0) {
    needs.extension =
        std::min(needs.wait + reply_slack + settings.upstream.connect_timeout, extension_max);
  }
  return needs;
}

}  // namespace onceproxy::doctor
