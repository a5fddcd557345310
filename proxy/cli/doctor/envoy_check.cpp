#include "proxy/cli/doctor/envoy_check.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>

#include "proxy/cli/doctor/envoy_dump.hpp"
#include "proxy/cli/doctor/envoy_filter_checks.hpp"
#include "proxy/cli/doctor/envoy_needs.hpp"
#include "proxy/cli/doctor/envoy_route_checks.hpp"
#include "proxy/cli/doctor/few.hpp"

namespace onceproxy::doctor {

namespace {

/// Clusters that lead to a port of onceproxy's.
std::vector<std::string> own_clusters(const EnvoyDump& dump, const config::Settings& settings) {
  std::vector<std::string> all;
  for (const config::ListenSettings& listen : settings.listen) {
    if (listen.port == 0 && listen.unix_path.empty()) continue;
    for (std::string& name : dump.clusters_at(listen)) all.push_back(std::move(name));
  }
  return all;
}

bool leads_to(const EnvoyRoute& route, const std::vector<std::string>& clusters) {
  return std::ranges::any_of(route.clusters(), [&](const std::string& name) {
    return std::ranges::find(clusters, name) != clusters.end();
  });
}

/// The cluster that the filter asks, if the dump shows that it is not onceproxy; otherwise empty.
std::string other_processor(const EnvoyDump& dump, const EnvoyFilter& filter,
                            const config::Settings& settings) {
  const auto& listen = settings.envoy;
  if (!listen || (listen->port == 0 && listen->unix_path.empty())) return {};
  const Json* const asked = member_at(*filter.configuration, {"grpc_service", "envoy_grpc"});
  if (asked == nullptr) return {};
  std::string cluster = telemetry::json_member_text(*asked, "cluster_name");
  if (dump.leads_to(cluster, *listen).value_or(true)) cluster.clear();
  return cluster;
}

/// How requests of the manager come to onceproxy. False: none do.
bool check_manager(const EnvoyDump& dump, const EnvoyManager& manager,
                   const std::vector<std::string>& clusters, const config::Settings& settings,
                   Few& findings) {
  const EnvoyNeeds needs = envoy_needs(settings);
  std::size_t asking = 0;
  for (const EnvoyFilter& filter : manager.filters) {
    if (type_of(*filter.configuration) != "ExternalProcessor") continue;
    const std::string other = other_processor(dump, filter, settings);
    if (!other.empty()) {
      findings.ok("listener " + manager.listener + ": filter " + filter.name + " asks cluster " +
                  other + ", which has no endpoint at envoy.listen, so it is not checked");
      continue;
    }
    ++asking;
    findings.ok("listener " + manager.listener + " asks an external processor in filter " +
                filter.name);
    check_ext_proc(manager, filter, needs, findings);
    for (const EnvoyRoute& route : manager.routes) {
      check_asking_route(dump, manager, filter, route, needs, findings);
    }
  }
  std::size_t forwarding = 0;
  for (const EnvoyRoute& route : manager.routes) {
    if (!leads_to(route, clusters)) continue;
    ++forwarding;
    check_forwarding_route(dump, manager, route, needs, findings);
  }
  if (forwarding > 0) {
    findings.ok("listener " + manager.listener + " forwards to onceproxy on " +
                std::to_string(forwarding) + (forwarding == 1 ? " route" : " routes"));
  }
  if (asking + forwarding == 0) return false;
  if (telemetry::json_member(*manager.manager, "scoped_routes") != nullptr) {
    findings.warn("listener " + manager.listener, "scoped_routes are not checked",
                  "check retries and timeouts of these routes by hand");
  }
  check_buffers(manager, needs, findings);
  return true;
}

}  // namespace

std::vector<Finding> check_envoy(const std::string& dump, const config::Settings& settings) {
  constexpr std::size_t depth_max = 256;
  boost::json::parse_options options;
  options.max_depth = depth_max;
  boost::json::error_code error;
  const Json parsed = boost::json::parse(dump, error, {}, options);
  const Json* const configs = error ? nullptr : telemetry::json_member(parsed, "configs");
  if (configs == nullptr || !configs->is_array()) {
    Findings findings("envoy");
    findings.fail("its answer to /config_dump is not the configuration of an Envoy",
                  "name the admin port of an Envoy");
    return findings.take();
  }
  const EnvoyDump envoy(parsed);
  const std::vector<std::string> clusters = own_clusters(envoy, settings);
  Few findings;
  bool any = false;
  for (const EnvoyManager& manager : envoy.managers()) {
    any = check_manager(envoy, manager, clusters, settings, findings) || any;
  }
  if (!any) {
    findings.warn("Envoy",
                  "no listener asks an external processor at `envoy.listen` or forwards to a port "
                  "of `listen`, as far as the dump shows",
                  "name the Envoy that is in front of onceproxy; endpoints of clusters that are "
                  "discovered are not in the dump, and ports that are mapped are not recognized");
  }
  return findings.take();
}

}  // namespace onceproxy::doctor
