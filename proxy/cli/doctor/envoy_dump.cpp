#include "proxy/cli/doctor/envoy_dump.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace onceproxy::doctor {

using telemetry::json_member;
using telemetry::json_member_text;

namespace {

/// The name of a cluster is in its own right, the rest of an action in the action.
void add_cluster(const Json& holder, std::vector<std::string>& out) {
  std::string name = json_member_text(holder, "cluster");
  if (name.empty()) name = json_member_text(holder, "name");
  if (!name.empty()) out.push_back(std::move(name));
}

/// A configuration of a filter for a route may be wrapped, to say that the filter is off.
void add_filter_configuration(const Json* holder, const std::string& filter,
                              std::vector<const Json*>& out) {
  if (holder == nullptr) return;
  if (const Json* const found = member_at(*holder, {"typed_per_filter_config", filter})) {
    out.push_back(found);
  }
}

/// Those that the dump has; discovered ones are not in it.
std::vector<const Json*> endpoints_of(const Json& cluster) {
  std::vector<const Json*> out;
  for (const Json* group : items_of(member_at(cluster, {"load_assignment", "endpoints"}))) {
    for (const Json* endpoint : items_of(json_member(*group, "lb_endpoints"))) {
      out.push_back(endpoint);
    }
  }
  return out;
}

/// Whether it is on the port, or at the unix socket, of `listen`.
bool is_at(const Json& endpoint, const io::Endpoint& listen) {
  const Json* const address = member_at(endpoint, {"endpoint", "address"});
  if (address == nullptr) return false;
  if (!listen.unix_path.empty()) {
    const Json* const pipe = json_member(*address, "pipe");
    return pipe != nullptr && json_member_text(*pipe, "path") == listen.unix_path;
  }
  return number_of(member_at(*address, {"socket_address", "port_value"})) == listen.port;
}

}  // namespace

const Json* member_at(const Json& value, std::initializer_list<std::string_view> names) {
  const Json* at = &value;
  for (const std::string_view name : names) {
    if (at != nullptr) at = json_member(*at, name);
  }
  return at;
}

std::vector<const Json*> items_of(const Json* list) {
  std::vector<const Json*> out;
  if (list == nullptr || !list->is_array()) return out;
  for (const Json& item : list->get_array()) out.push_back(&item);
  return out;
}

bool is_true(const Json* value) {
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::optional<std::chrono::milliseconds> duration_of(const Json* value) {
  if (value == nullptr || !value->is_string()) return std::nullopt;
  const std::string_view text(value->get_string());
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  // Envoy's own durations end at 10,000 years.
  constexpr double seconds_max = 315'576'000'000;
  if (error != std::errc() || unit != "s" || !(std::abs(seconds) <= seconds_max)) {
    return std::nullopt;
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::duration<double>(seconds));
}

std::optional<std::uint64_t> number_of(const Json* value) {
  if (value == nullptr) return std::nullopt;
  if (value->is_int64() && value->get_int64() >= 0) {
    return static_cast<std::uint64_t>(value->get_int64());
  }
  // 64 bits are text in protobuf's JSON.
  if (!value->is_string()) return std::nullopt;
  const std::string_view text(value->get_string());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string_view type_of(const Json& message) {
  const Json* const type = json_member(message, "@type");
  if (type == nullptr || !type->is_string()) return {};
  const std::string_view name(type->get_string());
  return name.substr(name.find_last_of("./") + 1);
}

bool is_off(const Json& filter_configuration) {
  if (is_true(json_member(filter_configuration, "disabled"))) return true;
  if (type_of(filter_configuration) != "FilterConfig") return false;
  return is_true(member_at(filter_configuration, {"config", "disabled"}));
}

std::string EnvoyRoute::name() const {
  std::string text = json_member_text(*virtual_host, "name");
  std::string own = json_member_text(*route, "name");
  for (const char* kind : {"prefix", "path", "path_separated_prefix"}) {
    if (!own.empty()) break;
    if (const Json* const match = member_at(*route, {"match", kind})) {
      if (match->is_string()) own = std::string(match->get_string());
    }
  }
  if (own.empty()) {
    if (const Json* const regex = member_at(*route, {"match", "safe_regex", "regex"})) {
      if (regex->is_string()) own = std::string(regex->get_string());
    }
  }
  return "route " + text + (own.empty() ? "" : " " + own);
}

const Json* EnvoyRoute::action() const {
  return json_member(*route, "route");
}

std::vector<std::string> EnvoyRoute::clusters() const {
  std::vector<std::string> out;
  const Json* const what = action();
  if (what == nullptr) return out;
  add_cluster(*what, out);
  for (const Json* each : items_of(member_at(*what, {"weighted_clusters", "clusters"}))) {
    add_cluster(*each, out);
  }
  std::ranges::sort(out);
  const auto twins = std::ranges::unique(out);
  out.erase(twins.begin(), twins.end());
  return out;
}

std::vector<const Json*> EnvoyRoute::levels() const {
  std::vector<const Json*> out{route, virtual_host, configuration};
  if (const Json* const what = action()) out.insert(out.begin(), what);
  return out;
}

const Json* EnvoyRoute::nearest(std::string_view name) const {
  for (const Json* level : levels()) {
    if (const Json* const found = json_member(*level, name)) return found;
  }
  return nullptr;
}

std::vector<const Json*> EnvoyRoute::filter_configurations(const std::string& filter) const {
  std::vector<const Json*> out;
  for (const Json* holder : {route, virtual_host, configuration}) {
    add_filter_configuration(holder, filter, out);
  }
  const Json* const what = action();
  if (what == nullptr) return out;
  for (const Json* each : items_of(member_at(*what, {"weighted_clusters", "clusters"}))) {
    add_filter_configuration(each, filter, out);
  }
  return out;
}

bool EnvoyRoute::uses(const EnvoyFilter& filter) const {
  const auto told_by = [&](const Json& holder) {
    return member_at(holder, {"typed_per_filter_config", filter.name});
  };
  bool used = !filter.disabled;
  for (const Json* holder : {route, virtual_host, configuration}) {
    if (const Json* const told = told_by(*holder)) {
      used = !is_off(*told);
      break;
    }
  }
  const Json* const what = action();
  if (used || what == nullptr) return used;
  return std::ranges::any_of(items_of(member_at(*what, {"weighted_clusters", "clusters"})),
                             [&](const Json* each) {
                               const Json* const told = told_by(*each);
                               return told != nullptr && !is_off(*told);
                             });
}

EnvoyDump::EnvoyDump(const Json& dump) : dump_(dump) {
  read_clusters();
  for (const Json* listeners : configurations("ListenersConfigDump")) {
    for (const Json* each : items_of(json_member(*listeners, "static_listeners"))) {
      if (const Json* const listener = json_member(*each, "listener")) read_listener(*listener);
    }
    for (const Json* each : items_of(json_member(*listeners, "dynamic_listeners"))) {
      if (const Json* const listener = member_at(*each, {"active_state", "listener"})) {
        read_listener(*listener);
      }
    }
  }
}

std::vector<const Json*> EnvoyDump::configurations(std::string_view type) const {
  std::vector<const Json*> out;
  for (const Json* each : items_of(json_member(dump_, "configs"))) {
    if (type_of(*each) == type) out.push_back(each);
  }
  return out;
}

void EnvoyDump::read_listener(const Json& listener) {
  std::vector<const Json*> chains = items_of(json_member(listener, "filter_chains"));
  if (const Json* const other = json_member(listener, "default_filter_chain")) {
    chains.push_back(other);
  }
  for (const Json* chain : chains) {
    for (const Json* filter : items_of(json_member(*chain, "filters"))) {
      const Json* const configuration = json_member(*filter, "typed_config");
      if (configuration == nullptr || type_of(*configuration) != "HttpConnectionManager") continue;
      EnvoyManager manager;
      manager.listener = json_member_text(listener, "name");
      manager.buffer_bytes = number_of(json_member(listener, "per_connection_buffer_limit_bytes"))
                                 .value_or(manager.buffer_bytes);
      manager.manager = configuration;
      for (const Json* each : items_of(json_member(*configuration, "http_filters"))) {
        if (const Json* const typed = json_member(*each, "typed_config")) {
          manager.filters.push_back(
              {json_member_text(*each, "name"), typed, is_true(json_member(*each, "disabled"))});
        }
      }
      read_routes(manager);
      managers_.push_back(std::move(manager));
    }
  }
}

void EnvoyDump::read_routes(EnvoyManager& manager) const {
  const Json* routes = json_member(*manager.manager, "route_config");
  if (const Json* const discovered = json_member(*manager.manager, "rds")) {
    routes = routes_named(json_member_text(*discovered, "route_config_name"));
  }
  if (routes == nullptr) return;
  for (const Json* host : items_of(json_member(*routes, "virtual_hosts"))) {
    for (const Json* route : items_of(json_member(*host, "routes"))) {
      manager.routes.push_back({route, host, routes});
    }
  }
}

const Json* EnvoyDump::routes_named(std::string_view name) const {
  for (const Json* configs : configurations("RoutesConfigDump")) {
    for (const char* kind : {"dynamic_route_configs", "static_route_configs"}) {
      for (const Json* each : items_of(json_member(*configs, kind))) {
        const Json* const routes = json_member(*each, "route_config");
        if (routes != nullptr && json_member_text(*routes, "name") == name) return routes;
      }
    }
  }
  return nullptr;
}

void EnvoyDump::read_clusters() {
  for (const Json* dumped : configurations("ClustersConfigDump")) {
    for (const char* kind : {"static_clusters", "dynamic_active_clusters"}) {
      for (const Json* each : items_of(json_member(*dumped, kind))) {
        if (const Json* const cluster = json_member(*each, "cluster")) {
          clusters_.emplace(json_member_text(*cluster, "name"), cluster);
        }
      }
    }
  }
}

std::vector<std::string> EnvoyDump::clusters_at(const io::Endpoint& listen) const {
  std::vector<std::string> out;
  for (const auto& [name, cluster] : clusters_) {
    const auto there = [&](const Json* endpoint) { return is_at(*endpoint, listen); };
    if (std::ranges::any_of(endpoints_of(*cluster), there)) out.push_back(name);
  }
  return out;
}

std::optional<bool> EnvoyDump::leads_to(std::string_view cluster,
                                        const io::Endpoint& listen) const {
  const auto found = clusters_.find(cluster);
  if (found == clusters_.end()) return std::nullopt;
  const std::vector<const Json*> endpoints = endpoints_of(*found->second);
  const auto there = [&](const Json* endpoint) { return is_at(*endpoint, listen); };
  if (std::ranges::any_of(endpoints, there)) return true;
  const auto told = [](const Json* endpoint) {
    const Json* const address = member_at(*endpoint, {"endpoint", "address"});
    return address != nullptr &&
           (number_of(member_at(*address, {"socket_address", "port_value"})) ||
            json_member(*address, "pipe") != nullptr);
  };
  if (endpoints.empty() || !std::ranges::all_of(endpoints, told)) return std::nullopt;
  return false;
}

const Json* EnvoyDump::cluster_options(std::string_view cluster) const {
  const auto found = clusters_.find(cluster);
  if (found == clusters_.end()) return nullptr;
  return member_at(*found->second, {"typed_extension_protocol_options",
                                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"});
}

}  // namespace onceproxy::doctor
