// /server_info, /clusters and /listeners in the format of Envoy's admin port (envoy.admin.v3:
// ServerInfo, Clusters, Listeners, as JSON), so that tools for Envoy can read them. Fields without
// a meaning here are left out; `connections` and `drained` of /server_info are onceproxy's own.
// Private to this folder. Pure.
#pragma once

#include <string>

#include "proxy/admin/admin_endpoints.hpp"
#include "proxy/admin/statistics.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::admin {

telemetry::JsonObject server_info(const AdminHooks& hooks);

/// One cluster, "upstream", with a host for each address. The counts of the upstream are shown at
/// the first host, which is tried first.
telemetry::JsonObject clusters_json(const UpstreamState& upstream, const UpstreamCounts& counts);
/// The same in Envoy's text format.
std::string clusters_text(const UpstreamState& upstream, const UpstreamCounts& counts);

telemetry::JsonObject listeners_json(const NamedTexts& listeners);
std::string listeners_text(const NamedTexts& listeners);

}  // namespace onceproxy::admin
