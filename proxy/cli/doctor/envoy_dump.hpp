// EnvoyDump: what an Envoy's /config_dump says about the ways of its requests: listeners, their
// HTTP connection managers, the filters in them, the routes, and where clusters lead. Of what it
// does not know (scoped routes, routes in a matcher's tree, filters that are discovered by name
// alone) it says nothing. Pure; thread-safe. Pointers are into the dump, which must stay.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/io/endpoint.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::doctor {

using telemetry::Json;

/// The member at the end of a path of names; nullptr where there is none.
const Json* member_at(const Json& value, std::initializer_list<std::string_view> names);
/// Its members where it is a list; nothing otherwise.
std::vector<const Json*> items_of(const Json* list);
bool is_true(const Json* value);
/// "15s", "0.200s"; nothing where it is no duration.
std::optional<std::chrono::milliseconds> duration_of(const Json* value);
std::optional<std::uint64_t> number_of(const Json* value);
/// A message in an Any: the last part of the name of its type, such as "Buffer".
std::string_view type_of(const Json& message);

/// A filter of an HTTP connection manager.
struct EnvoyFilter {
  std::string name;
  const Json* configuration;
  /// It is used only on routes that enable it.
  bool disabled = false;
};

/// Whether what a route configures for a filter takes it out.
bool is_off(const Json& filter_configuration);

/// A route, with what its virtual host and its route configuration say where it says nothing.
struct EnvoyRoute {
  const Json* route;
  const Json* virtual_host;
  const Json* configuration;

  /// For a person: the names, or what it matches.
  std::string name() const;
  /// What it does with a request; nullptr: it does not forward.
  const Json* action() const;
  /// Each once.
  std::vector<std::string> clusters() const;
  /// What the route is configured by, the most specific first: its action, itself, its virtual host
  /// and its route configuration.
  std::vector<const Json*> levels() const;
  /// The member of the first level that has it.
  const Json* nearest(std::string_view name) const;
  /// What is configured for a filter at any of the three, and at the weighted clusters.
  std::vector<const Json*> filter_configurations(const std::string& filter) const;
  /// Whether requests, or those to one of the weighted clusters, pass the filter.
  bool uses(const EnvoyFilter& filter) const;
};

struct EnvoyManager {
  std::string listener;
  /// Of a connection's buffer; what Envoy has where nothing is said.
  std::uint64_t buffer_bytes = std::uint64_t{1} << 20;
  const Json* manager;
  std::vector<EnvoyFilter> filters;
  std::vector<EnvoyRoute> routes;
};

class EnvoyDump {
 public:
  /// `dump` is what /config_dump answers.
  explicit EnvoyDump(const Json& dump);

  const std::vector<EnvoyManager>& managers() const { return managers_; }
  /// The names of clusters with an endpoint on the port, or at the unix socket, of `listen`.
  std::vector<std::string> clusters_at(const io::Endpoint& listen) const;
  /// Whether the cluster has an endpoint there; nothing if the dump does not tell all its
  /// endpoints.
  std::optional<bool> leads_to(std::string_view cluster, const io::Endpoint& listen) const;
  /// The HTTP options of a cluster; nullptr if there are none.
  const Json* cluster_options(std::string_view cluster) const;

 private:
  std::vector<const Json*> configurations(std::string_view type) const;
  void read_clusters();
  void read_listener(const Json& listener);
  void read_routes(EnvoyManager& manager) const;
  const Json* routes_named(std::string_view name) const;

  const Json& dump_;
  /// By their names: there may be thousands, and as many routes.
  std::map<std::string, const Json*, std::less<>> clusters_;
  std::vector<EnvoyManager> managers_;
};

}  // namespace onceproxy::doctor
