#include "proxy/cli/doctor/envoy_route_checks.hpp"

#include <algorithm>

#include "proxy/cli/doctor/envoy_filter_checks.hpp"

namespace onceproxy::doctor {

namespace {

using std::chrono::milliseconds;
using telemetry::json_member;
using telemetry::json_member_text;

// Envoy's own, where nothing is said.
constexpr milliseconds route_timeout_default{15'000};
constexpr milliseconds stream_idle_timeout_default{300'000};

std::string place(const EnvoyManager& manager, const EnvoyRoute& route) {
  return "listener " + manager.listener + ", " + route.name();
}

const Json* member_of(const Json* holder, std::string_view name) {
  return holder == nullptr ? nullptr : json_member(*holder, name);
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

void check_retry_policy(const Json* policy, const std::string& where, const std::string& of,
                        Few& findings) {
  const std::string harmful = policy == nullptr ? "" : harmful_conditions(*policy);
  if (harmful.empty()) return;
  findings.warn(where,
                of + " repeats a request that was let through once (retry_on: " + harmful + ")",
                "leave connect-failure, refused-stream and reset-before-request alone, and let "
                "clients retry the rest");
}

/// The policy of the route: Envoy uses the nearest level that has one, in either form.
void check_own_retry_policy(const EnvoyRoute& route, const std::string& where, Few& findings) {
  for (const Json* level : route.levels()) {
    bool any = false;
    for (const char* name : {"retry_policy", "retry_policy_typed_config"}) {
      const Json* const policy = json_member(*level, name);
      check_retry_policy(policy, where, name, findings);
      any = any || policy != nullptr;
    }
    if (any) return;
  }
}

void check_retries(const EnvoyDump& dump, const EnvoyRoute& route, const std::string& where,
                   Few& findings) {
  const std::vector<std::string> clusters = route.clusters();
  // A cluster's policy replaces the route's.
  bool replaced = !clusters.empty();
  for (const std::string& cluster : clusters) {
    const Json* const policy = member_of(dump.cluster_options(cluster), "retry_policy");
    check_retry_policy(policy, where, "retry_policy of the cluster", findings);
    replaced = replaced && policy != nullptr;
  }
  if (!replaced) check_own_retry_policy(route, where, findings);
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

void check_mirrors(const EnvoyDump& dump, const EnvoyRoute& route, const std::string& where,
                   Few& findings) {
  constexpr const char* name = "request_mirror_policies";
  const auto copies = [&](const std::string& cluster) {
    return !items_of(member_of(dump.cluster_options(cluster), name)).empty();
  };
  const bool of_cluster = std::ranges::any_of(route.clusters(), copies);
  if (items_of(route.nearest(name)).empty() && !of_cluster) return;
  findings.warn(where, "request_mirror_policies sends copies that onceproxy does not see",
                "mirror only to a service that has no effects");
}

void check_timeout(const EnvoyManager& manager, const EnvoyRoute& route, milliseconds needed,
                   const std::string& limit, const std::string& where, Few& findings) {
  const auto check = [&](const std::string& of, milliseconds timeout, const std::string& name) {
    if (timeout.count() <= 0 || timeout >= needed) return;
    findings.warn(of,
                  name + " ends a request after " + std::to_string(timeout.count()) +
                      " ms, before " + limit + " (" + std::to_string(needed.count()) +
                      " ms) is over: the client gets an error while the operation may be done",
                  "raise it, or lower " + limit);
  };
  const std::string listener = "listener " + manager.listener;
  check(where, duration_of(route.nearest("timeout")).value_or(route_timeout_default), "timeout");
  if (const auto idle = duration_of(route.nearest("idle_timeout"))) {
    check(where, *idle, "idle_timeout");
  } else {
    check(listener,
          duration_of(json_member(*manager.manager, "stream_idle_timeout"))
              .value_or(stream_idle_timeout_default),
          "stream_idle_timeout");
  }
  const Json* const longest = route.nearest("max_stream_duration");
  if (longest != nullptr) {
    check(where,
          duration_of(json_member(*longest, "max_stream_duration")).value_or(milliseconds(0)),
          "max_stream_duration");
  } else {
    check(listener,
          duration_of(
              member_at(*manager.manager, {"common_http_protocol_options", "max_stream_duration"}))
              .value_or(milliseconds(0)),
          "max_stream_duration");
  }
}

/// What is configured for the filter on this route.
void check_filter_on_route(const EnvoyFilter& filter, const EnvoyRoute& route,
                           const std::string& where, Few& findings) {
  for (const Json* found : route.filter_configurations(filter.name)) {
    const Json* const configuration =
        type_of(*found) == "FilterConfig" ? json_member(*found, "config") : found;
    if (configuration != nullptr) {
      if (is_true(member_at(*configuration, {"overrides", "failure_mode_allow"}))) {
        findings.warn(where,
                      "failure_mode_allow is true for the route: requests bypass onceproxy while "
                      "it is not reachable",
                      "leave the override out");
      }
      if (member_at(*configuration, {"overrides", "grpc_service"}) != nullptr) {
        findings.warn(where,
                      "grpc_service is overridden for the route: another processor may be asked "
                      "instead of onceproxy",
                      "leave the override out, or make sure that it leads to onceproxy");
      }
      check_processing_mode(member_at(*configuration, {"overrides", "processing_mode"}), where,
                            findings);
    }
    // A filter that is disabled in its listener is expected to be off on some routes.
    if (is_off(*found) && !filter.disabled) {
      findings.warn(where, "filter " + filter.name + " is off: requests bypass onceproxy",
                    "no action needed where no policy covers them");
    }
  }
}

}  // namespace

void check_asking_route(const EnvoyDump& dump, const EnvoyManager& manager,
                        const EnvoyFilter& filter, const EnvoyRoute& route, const EnvoyNeeds& needs,
                        Few& findings) {
  const std::string where = place(manager, route);
  const bool used = route.uses(filter);
  if (used || !filter.disabled) check_filter_on_route(filter, route, where, findings);
  if (!used || route.action() == nullptr) return;
  check_retries(dump, route, where, findings);
  check_mirrors(dump, route, where, findings);
  check_timeout(manager, route, needs.lease, "the longest lease", where, findings);
  // The second took the place of the first.
  for (const char* limit : {"per_request_buffer_limit_bytes", "request_body_buffer_limit"}) {
    const auto bytes = number_of(route.nearest(limit));
    if (!bytes || *bytes >= needs.body_bytes) continue;
    findings.warn(where,
                  std::string(limit) +
                      " is below limits.body_bytes: Envoy answers 413 to bodies that "
                      "onceproxy would accept",
                  "raise it, or lower limits.body_bytes");
  }
}

void check_forwarding_route(const EnvoyDump& dump, const EnvoyManager& manager,
                            const EnvoyRoute& route, const EnvoyNeeds& needs, Few& findings) {
  const std::string where = place(manager, route);
  // A retry is a duplicate that onceproxy knows, so it does no harm.
  check_mirrors(dump, route, where, findings);
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
                  "max_request_bytes is below limits.body_bytes: Envoy answers 413 to bodies that "
                  "onceproxy would accept",
                  "raise it, or lower limits.body_bytes");
  }
}

}  // namespace onceproxy::doctor
