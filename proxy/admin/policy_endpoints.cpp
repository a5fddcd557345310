#include "proxy/admin/policy_endpoints.hpp"

#include <charconv>
#include <memory>
#include <utility>

#include "policies/json.hpp"
#include "proxy/admin/routes.hpp"
#include "proxy/telemetry/json_text.hpp"

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
using telemetry::append_json_string;

std::optional<Enforcement::Mode> parse_mode(std::string_view name) {
  for (const auto mode :
       {Enforcement::Mode::enforce, Enforcement::Mode::shadow, Enforcement::Mode::off}) {
    if (mode_name(mode) == name) return mode;
  }
  return std::nullopt;
}

void append_enforcement(std::string& out, std::string_view name, Enforcement enforcement) {
  out.append(",\"").append(name).append("\":{\"mode\":\"").append(mode_name(enforcement.mode));
  out.append("\",\"percent\":").append(std::to_string(enforcement.percent)).append("}");
}

void append_adaptive(std::string& out, const AdaptiveLeaseState& lease) {
  out.append(",\"adaptive_lease\":{\"observed\":").append(std::to_string(lease.observed));
  const auto append = [&out](std::string_view name, std::chrono::milliseconds time) {
    out.append(",\"").append(name).append("\":").append(std::to_string(time.count()));
  };
  append("p99_ms", lease.percentile99);
  if (lease.rule) {
    append("min_ms", lease.rule->min);
    append("max_ms", lease.rule->max);
    append("never_below_ms", lease.rule->floor);
  }
  out += '}';
}

void append_policy(std::string& out, const PolicyState& policy) {
  out.append("{\"name\":");
  append_json_string(out, policy.name);
  out.append(",\"namespace\":");
  append_json_string(out, policy.name_space);
  append_enforcement(out, "enforcement", policy.in_force);
  append_enforcement(out, "configured", policy.configured);
  out.append(",\"lease_ms\":").append(std::to_string(policy.lease.count()));
  if (policy.adaptive_lease) append_adaptive(out, *policy.adaptive_lease);
  out += '}';
}

Response list(const PolicyHooks& hooks, const Request& request) {
  // Whoever asks for a part and is given all of it should know.
  if (!request.query.empty()) return refusal(400, "/policies takes no arguments");
  std::string body = "{\"items\":[";
  for (const PolicyState& policy : hooks.list()) {
    if (body.back() == '}') body += ',';
    append_policy(body, policy);
  }
  return json(200, body + "]}\n");
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
  std::string body;
  append_policy(body, *policy);
  Response response = json(200, body + "\n");
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
