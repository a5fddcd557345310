#include "proxy/admin/policy_endpoints.hpp"

#include <charconv>
#include <memory>
#include <utility>

#include "policies/json.hpp"
#include "proxy/admin/routes.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::admin {

using policies::Enforcement;

std::string_view mode_name(Enforcement::Mode mode) {
  switch (mode) {
    case Enforcement::Mode::enforce:
      return "enforce";
    case Enforcement::Mode::shadow:
      return "shadow";
    case Enforcement::Mode::off:
      break;
  }
  return "off";
}

namespace {

using policies::JsonTree;
using telemetry::Json;
using telemetry::JsonArray;
using telemetry::JsonObject;

std::optional<Enforcement::Mode> parse_mode(std::string_view name) {
  for (const auto mode :
       {Enforcement::Mode::enforce, Enforcement::Mode::shadow, Enforcement::Mode::off}) {
    if (mode_name(mode) == name) return mode;
  }
  return std::nullopt;
}

Json json_of(Enforcement enforcement) {
  return JsonObject({{"mode", mode_name(enforcement.mode)}, {"percent", enforcement.percent}});
}

Json json_of(const AdaptiveLeaseState& lease) {
  JsonObject out({{"observed", lease.observed}, {"p99_ms", lease.percentile99.count()}});
  if (lease.rule) {
    out["min_ms"] = lease.rule->min.count();
    out["max_ms"] = lease.rule->max.count();
    out["never_below_ms"] = lease.rule->floor.count();
  }
  return out;
}

Json json_of(const PolicyState& policy) {
  JsonObject out({{"name", policy.name},
                  {"namespace", policy.name_space},
                  {"enforcement", json_of(policy.in_force)},
                  {"configured", json_of(policy.configured)},
                  {"lease_ms", policy.lease.count()}});
  if (policy.adaptive_lease) out["adaptive_lease"] = json_of(*policy.adaptive_lease);
  return out;
}

Response list(const PolicyHooks& hooks, const Request& request) {
  // Arguments are refused, because ignoring a filter would show more than was asked for.
  if (!request.query.empty()) return refusal(400, "/policies takes no arguments");
  JsonArray items;
  for (const PolicyState& policy : hooks.list()) items.push_back(json_of(policy));
  return json(200, JsonObject({{"items", std::move(items)}}));
}

/// Reads one member of the body into `change`. The error says what is wrong with it.
std::optional<std::string> read_member(const JsonTree& tree, JsonTree::Index member,
                                       EnforcementChange& change) {
  const std::string_view text = tree.text(member);
  if (tree.name(member) == "mode") {
    if (tree.kind(member) == JsonTree::Kind::string) change.mode = parse_mode(text);
    if (change.mode) return std::nullopt;
    return "mode: expected \"enforce\", \"shadow\" or \"off\"";
  }
  if (tree.name(member) == "percent") {
    int percent = -1;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, percent);
    const bool whole = tree.kind(member) == JsonTree::Kind::number && error == std::errc() &&
                       stop == end && percent >= 0 && percent <= 100;
    if (!whole) return "percent: expected a whole number from 0 to 100";
    change.percent = percent;
    return std::nullopt;
  }
  return std::string(tree.name(member)) + ": unknown; mode and percent are known";
}

Response enforce(const PolicyHooks& hooks, const Request& request) {
  const std::unique_ptr<const JsonTree> tree = JsonTree::parse(request.body);
  if (!tree || tree->kind(0) != JsonTree::Kind::object || tree->children(0).empty()) {
    return refusal(400, "the body must be a JSON object with mode, percent or both");
  }
  EnforcementChange change;
  for (const JsonTree::Index member : tree->children(0)) {
    if (const auto error = read_member(*tree, member, change)) return refusal(400, *error);
  }
  const std::string& name = request.captures.find("name")->second;
  const std::optional<PolicyState> policy = hooks.enforce(name, change);
  if (!policy) return refusal(404, "no policy of the name " + name + "; see GET /policies");
  Response response = json(200, json_of(*policy));
  response.touched.policy = name;
  return response;
}

}  // namespace

void add_policy_endpoints(Server& server, PolicyHooks hooks) {
  const auto shared = std::make_shared<const PolicyHooks>(std::move(hooks));
  server.add("GET", "/policies",
             "policies with their enforcement, in force and as configured, and their lease now",
             [shared](const Request& request) { return list(*shared, request); });
  server.add("PATCH", "/policies/{name}/enforcement",
             "{\"mode\":…,\"percent\":…}: enforce, shadow or switch off until the next reload",
             [shared](const Request& request) { return enforce(*shared, request); });
}

}  // namespace onceproxy::admin
