#include "proxy/admin/envoy_answers.hpp"

#include <charconv>
#include <cstdint>
#include <utility>
#include <vector>

namespace onceproxy::admin {
namespace {

using telemetry::Json;
using telemetry::JsonArray;
using telemetry::JsonObject;

constexpr std::string_view cluster_name = "upstream";
constexpr std::string_view pipe_prefix = "unix:";

std::string_view state_name(ServerState state) {
  switch (state) {
    case ServerState::live:
      return "LIVE";
    case ServerState::draining:
      return "DRAINING";
    case ServerState::pre_initializing:
      break;
  }
  return "PRE_INITIALIZING";
}

/// envoy.config.core.v3.Address of host:port, [host]:port or unix:/path.
JsonObject address_json(std::string_view address) {
  if (address.starts_with(pipe_prefix)) {
    return {{"pipe", JsonObject({{"path", address.substr(pipe_prefix.size())}})}};
  }
  const std::size_t colon = address.rfind(':');
  std::string_view host = address.substr(0, colon);
  std::uint32_t port = 0;
  if (colon != std::string_view::npos) {
    std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {{"socket_address", JsonObject({{"address", host}, {"port_value", port}})}};
}

/// What was found of the upstream: addresses with ", " between them.
std::vector<std::string_view> hosts_of(std::string_view found) {
  constexpr std::string_view between = ", ";
  std::vector<std::string_view> hosts;
  while (!found.empty()) {
    const std::size_t end = found.find(between);
    hosts.push_back(found.substr(0, end));
    found.remove_prefix(end == std::string_view::npos ? found.size() : end + between.size());
  }
  return hosts;
}

struct HostStatistic {
  std::string_view name;
  std::uint64_t value;
  bool gauge;
};

/// Sorted as Envoy's are: counters, then gauges.
std::vector<HostStatistic> host_statistics(const UpstreamState& upstream,
                                           const UpstreamCounts& counts) {
  std::vector<HostStatistic> all{{"rq_error", counts.failed, false},
                                 {"rq_success", counts.total - counts.failed, false},
                                 {"rq_total", counts.total, false},
                                 {"cx_active", upstream.connections, true}};
  // Only if their number is limited is it known.
  if (upstream.turns_max > 0) all.push_back({"rq_active", upstream.turns, true});
  all.push_back({"rq_pending_active", upstream.waiting, true});
  return all;
}

Json host_json(std::string_view host, const UpstreamState& upstream, const UpstreamCounts* counts) {
  JsonArray statistics;
  if (counts != nullptr) {
    for (const HostStatistic& each : host_statistics(upstream, *counts)) {
      // Counters are the default of SimpleMetric's type, and 64 bits are text in JSON.
      JsonObject one({{"name", each.name}, {"value", std::to_string(each.value)}});
      if (each.gauge) one["type"] = "GAUGE";
      statistics.emplace_back(std::move(one));
    }
  }
  return JsonObject({{"address", address_json(host)},
                     {"stats", std::move(statistics)},
                     {"health_status", JsonObject({{"eds_health_status", "HEALTHY"}})},
                     {"weight", 1},
                     {"hostname", upstream.address},
                     {"locality", JsonObject()}});
}

}  // namespace

JsonObject server_info(const AdminHooks& hooks) {
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::steady_clock::now() - hooks.started);
  const std::string up = duration_text(uptime);
  JsonObject out({{"version", hooks.version},
                  {"state", state_name(hooks.state())},
                  {"uptime_current_epoch", up},
                  {"uptime_all_epochs", up},
                  {"hot_restart_version", "disabled"}});
  if (hooks.drain_state) {
    const DrainState drain = hooks.drain_state();
    out["connections"] = drain.connections;
    out["drained"] = drain.drained;
  }
  out["command_line_options"] = hooks.options ? hooks.options() : JsonObject();
  out["node"] = JsonObject({{"user_agent_name", "onceproxy"}});
  return out;
}

JsonObject clusters_json(const UpstreamState& upstream, const UpstreamCounts& counts) {
  JsonArray hosts;
  for (const std::string_view host : hosts_of(upstream.found)) {
    hosts.emplace_back(host_json(host, upstream, hosts.empty() ? &counts : nullptr));
  }
  JsonObject threshold({{"max_connections", upstream.connections_max}});
  if (upstream.turns_max > 0) threshold["max_requests"] = upstream.turns_max;
  JsonObject cluster(
      {{"name", cluster_name},
       {"host_statuses", std::move(hosts)},
       {"circuit_breakers", JsonObject({{"thresholds", JsonArray({Json(std::move(threshold))})}})},
       {"observability_name", cluster_name}});
  return {{"cluster_statuses", JsonArray({Json(std::move(cluster))})}};
}

std::string clusters_text(const UpstreamState& upstream, const UpstreamCounts& counts) {
  std::string body;
  const auto cluster_line = [&body](std::string_view name, std::string_view value) {
    body.append(cluster_name).append("::").append(name).append("::").append(value) += '\n';
  };
  cluster_line("observability_name", cluster_name);
  cluster_line("default_priority::max_connections", std::to_string(upstream.connections_max));
  if (upstream.turns_max > 0) {
    cluster_line("default_priority::max_requests", std::to_string(upstream.turns_max));
  }
  cluster_line("added_via_api", "false");
  std::vector<std::string_view> hosts = hosts_of(upstream.found);
  if (hosts.empty()) hosts.emplace_back("unresolved");
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const auto line = [&](std::string_view name, std::string_view value) {
      cluster_line(std::string(hosts[i]).append("::").append(name), value);
    };
    if (i == 0) {
      for (const HostStatistic& each : host_statistics(upstream, counts)) {
        line(each.name, std::to_string(each.value));
      }
    }
    line("hostname", upstream.address);
    line("health_flags", "healthy");
    line("weight", "1");
  }
  return body;
}

JsonObject listeners_json(const NamedTexts& listeners) {
  JsonArray statuses;
  for (const auto& [name, address] : listeners) {
    statuses.emplace_back(JsonObject({{"name", name}, {"local_address", address_json(address)}}));
  }
  return {{"listener_statuses", std::move(statuses)}};
}

std::string listeners_text(const NamedTexts& listeners) {
  std::string body;
  for (const auto& [name, address] : listeners) {
    body.append(name).append("::").append(address) += '\n';
  }
  return body;
}

}  // namespace onceproxy::admin
