#include "proxy/cli/doctor/envoy_route_checks.hpp"

#include <algorithm>

namespace onceproxy::doctor {

namespace {

using std::chrono::milliseconds;
using telemetry::json_member;
using telemetry::json_member_text;

/// Envoy's own, where a route says nothing.
constexpr milliseconds route_timeout_default{15'000};

std::string place(const EnvoyManager& manager, const EnvoyRoute& route) {
  return "listener " + manager.listener + ", " + route.name();
}

/// Conditions of a retry under which the service has certainly not begun.
bool is_harmless(std::string_view condition) {
  return condition == "connect-failure" || condition == "refused-stream" ||
         condition == "reset-before-request";
}

/// Those of `retry_on` that repeat what may have been done, with commas.
std::string harmful_conditions(const Json& policy) {
  std::string harmful;
  const std::string all = json_member_text(policy, "retry_on");
  std::string_view rest = all;
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    std::string_view word = one;
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    if (word.empty() || is_harmless(word)) continue;
    harmful.append(harmful.empty() ? "" : ", ").append(word);
  }
  return harmful;
}

void check_retries(const EnvoyRoute& route, const std::string& where, Few& findings) {
  if (const Json* const policy = route.nearest("retry_policy")) {
    const std::string harmful = harmful_conditions(*policy);
    if (!harmful.empty()) {
      findings.warn(
          where,
          "retry_policy repeats a request that was let through once (retry_on: " + harmful + ")",
          "leave connect-failure, refused-stream and reset-before-request alone, and let "
          "clients retry the rest");
    }
  }
  if (const Json* const hedging = route.nearest("hedge_policy")) {
    if (is_true(json_member(*hedging, "hedge_on_per_try_timeout"))) {
      findings.warn(where, "hedge_policy sends a slow request a second time",
                    "leave it out on routes that policies cover");
    }
  }
  const Json* const redirects = route.nearest("internal_redirect_policy");
  if (redirects != nullptr) {
    findings.warn(where, "internal_redirect_policy sends a request again that was let through once",
                  "leave redirects to clients on routes that policies cover");
  }
}

void check_mirrors(const EnvoyRoute& route, const std::string& where, Few& findings) {
  if (items_of(route.nearest("request_mirror_policies")).empty()) return;
  findings.warn(where, "request_mirror_policies sends copies that onceproxy does not see",
                "mirror only to a service that has no effects");
}

void check_timeout(const EnvoyManager& manager, const EnvoyRoute& route, milliseconds needed,
                   const std::string& limit, const std::string& where, Few& findings) {
  const milliseconds timeout =
      duration_of(route.nearest("timeout")).value_or(route_timeout_default);
  const std::string rest = ", before " + limit + " (" + std::to_string(needed.count()) +
                           " ms) is over: the client gets an error while the operation may be done";
  if (timeout.count() > 0 && timeout < needed) {
    findings.warn(where,
                  "timeout ends a request after " + std::to_string(timeout.count()) + " ms" + rest,
                  "raise the route's timeout, or lower " + limit);
  }
  const auto idle = duration_of(json_member(*manager.manager, "stream_idle_timeout"));
  if (idle && idle->count() > 0 && *idle < needed) {
    findings.warn(
        "listener " + manager.listener,
        "stream_idle_timeout ends a request after " + std::to_string(idle->count()) + " ms" + rest,
        "raise it, or lower " + limit);
  }
}

/// What is configured for the filter on this route.
void check_filter_on_route(const EnvoyFilter& filter, const EnvoyRoute& route,
                           const std::string& where, Few& findings) {
  for (const Json* found : route.filter_configurations(filter.name)) {
    const Json* configuration = found;
    bool disabled = is_true(json_member(*found, "disabled"));
    if (type_of(*found) == "FilterConfig") {
      configuration = json_member(*found, "config");
    }
    if (configuration != nullptr) {
      disabled = disabled || is_true(json_member(*configuration, "disabled"));
      if (is_true(member_at(*configuration, {"overrides", "failure_mode_allow"}))) {
        findings.warn(where,
                      "failure_mode_allow is true for the route: requests go past onceproxy while "
                      "it cannot be asked",
                      "leave the override out");
      }
    }
    if (disabled) {
      findings.warn(where, "filter " + filter.name + " is off: requests go past onceproxy",
                    "no action needed where no policy covers them");
    }
  }
}

}  // namespace

void check_asking_route(const EnvoyManager& manager, const EnvoyFilter& filter,
                        const EnvoyRoute& route, const EnvoyNeeds& needs, Few& findings) {
  const std::string where = place(manager, route);
  check_filter_on_route(filter, route, where, findings);
  if (route.action() == nullptr) return;
  check_retries(route, where, findings);
  check_mirrors(route, where, findings);
  check_timeout(manager, route, needs.lease, "the longest lease", where, findings);
  // The second took the place of the first.
  for (const char* limit : {"per_request_buffer_limit_bytes", "request_body_buffer_limit"}) {
    const auto bytes = number_of(route.nearest(limit));
    if (!bytes || *bytes >= needs.body_bytes) continue;
    findings.warn(where,
                  std::string(limit) +
                      " is below limits.body_bytes: Envoy answers 413 for bodies "
                      "that policies would take",
                  "raise it, or lower limits.body_bytes");
  }
}

void check_forwarding_route(const EnvoyManager& manager, const EnvoyRoute& route,
                            const EnvoyNeeds& needs, Few& findings) {
  const std::string where = place(manager, route);
  // A retry is a duplicate that onceproxy knows, so it does no harm.
  check_mirrors(route, where, findings);
  check_timeout(manager, route, std::max(needs.response, needs.wait),
                needs.response < needs.wait ? "the longest wait" : "upstream.response_timeout",
                where, findings);
}

void check_buffers(const EnvoyManager& manager, const EnvoyNeeds& needs, Few& findings) {
  for (const EnvoyFilter& filter : manager.filters) {
    if (type_of(*filter.configuration) != "Buffer") continue;
    const auto bytes = number_of(json_member(*filter.configuration, "max_request_bytes"));
    if (!bytes || *bytes >= needs.body_bytes) continue;
    findings.warn("listener " + manager.listener + ", filter " + filter.name,
                  "max_request_bytes is below limits.body_bytes: Envoy answers 413 for bodies that "
                  "policies would take",
                  "raise it, or lower limits.body_bytes");
  }
}

}  // namespace onceproxy::doctor
