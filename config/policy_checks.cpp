#include "config/policy_checks.hpp"

#include <algorithm>
#include <string>

#include "config/delivery_checks.hpp"
#include "config/ends_reader.hpp"
#include "config/match_reader.hpp"
#include "config/text.hpp"

namespace onceproxy::config {
namespace {

using policies::Policy;
using policies::Selector;
using policies::Source;

std::vector<Node> override_nodes(const Node& policy) {
  const auto list = policy.get("overrides");
  return list ? list->items() : std::vector<Node>();
}

/// Every selector in a policy.
std::vector<Node> selector_nodes(const Node& policy) {
  std::vector<Node> out;
  const auto add_chain = [&](const Node& first) {
    for (std::optional<Node> at = first; at; at = at->get("otherwise")) out.push_back(*at);
  };
  const auto add = [&](const Node& map, const char* key) {
    const auto value = map.get(key);
    if (!value) return;
    if (value->is_map()) add_chain(*value);
    for (const Node& item : value->items()) add_chain(item);
  };
  for (const char* key : {"fingerprint", "scope", "payload"}) add(policy, key);
  if (const auto match = policy.get("match")) add(*match, "where");
  if (const auto entity = policy.get("entity")) {
    add(*entity, "id");
    add(*entity, "sequence");
  }
  const auto add_replayed = [&](const Node& map) {
    const auto replay = map.get("replay");
    const auto set = replay ? replay->get("set") : std::nullopt;
    if (!set) return;
    for (const Node& item : set->items()) add(item, "from");
  };
  if (const auto rate_limit = policy.get("rate_limit")) add(*rate_limit, "by");
  add_replayed(policy);
  const auto ends = policy.get("ends");
  for (const Node& entry : ends ? ends->items() : std::vector<Node>()) {
    add(entry, "fingerprint");
    add(entry, "scope");
  }
  for (const Node& override : override_nodes(policy)) {
    add(override, "where");
    add_replayed(override);
    if (const auto rate_limit = override.get("rate_limit")) add(*rate_limit, "by");
  }
  return out;
}

void check_captures(const Node& node, const Policy& policy) {
  const auto match = node.get("match");
  const auto path = match ? match->get("path") : std::nullopt;
  const auto expression = match ? match->get("path_regex") : std::nullopt;
  // A path that could not be read has been reported, and its captures are not known.
  if ((path && !policy.match.has_path) || (expression && !policy.match.path_regex)) return;
  const auto captures = captures_of(policy.match);
  for (const Node& item : selector_nodes(node)) {
    const auto name = item.get("path");
    if (!name || name->text().empty() || captures.contains(name->text())) continue;
    const std::string wanted = "`" + name->text() + "`";
    if (captures.empty()) {
      name->problem("the path captures nothing, so there is no " + wanted + "; write {" +
                    name->text() + "} into match.path");
    } else {
      name->problem("the path captures no " + wanted + ", only " +
                    one_of({captures.begin(), captures.end()}));
    }
  }
}

bool has_no_body(const std::string& method) {
  return method == "GET" || method == "HEAD";
}

void check_bodies(const Node& node, const Policy& policy) {
  const auto& methods = policy.match.methods;
  const auto match = node.get("match");
  const auto written = match ? match->get("methods") : std::nullopt;
  // A method that could not be read may have been one with a body.
  if (written && written->items().size() != methods.size()) return;
  // Whatever overrides its method, a request of another method may have a body.
  if (policy.match.method_override) return;
  if (methods.empty() || !std::all_of(methods.begin(), methods.end(), has_no_body)) return;
  for (const Node& item : selector_nodes(node)) {
    for (const char* key : {"body", "form", "xml"}) {
      const auto body = item.get(key);
      if (!body) continue;
      body->problem("the policy covers " + one_of(methods) +
                    " alone, which have no body; select from the path, the query or a header");
    }
  }
}

/// A field that every request shares names no operation.
void check_fingerprint(const Node& node, const Policy& policy) {
  const auto list = node.get("fingerprint");
  if (!list || policy.fingerprint.empty()) return;
  if (list->is_list() && list->items().size() != policy.fingerprint.size()) return;
  const bool tells_apart = std::any_of(
      policy.fingerprint.begin(), policy.fingerprint.end(),
      [](const Selector& s) { return s.source != Source::constant && s.source != Source::method; });
  if (!tells_apart) {
    list->problem("every request would be one operation; select a field that tells them apart");
  }
}

bool says_replay(const Node& answer) {
  return answer.is_scalar() && answer.text() == "replay";
}

/// What replays although the policy may not say so itself; nothing if nothing does.
std::optional<Node> replaying(const Node& node, const Policy& policy) {
  const auto answer = node.get("on_duplicate");
  if (!policy.on_duplicate && (!answer || says_replay(*answer))) return node;
  for (const Node& override : override_nodes(node)) {
    const auto other = override.get("on_duplicate");
    if (other && says_replay(*other)) return other;
  }
  return std::nullopt;
}

void check_scope(const Node& node, const Policy& policy) {
  const auto replays = replaying(node, policy);
  if (!replays || node.get("scope")) return;
  for (const Node::Entry& entry : node.entries()) {
    const std::string meant = nearest(entry.key, {"scope", "on_duplicate"});
    // Misspelt, and reported as that.
    if (!meant.empty() && meant != entry.key) return;
  }
  replays->problem(
      "`scope` is missing: duplicates are replayed, and without it one caller could be sent "
      "another's answer; write scope: [{header: authorization}], or scope: shared where "
      "everybody may see every answer");
}

/// Whether it is known what a policy covers. What could not be read of `match`, or was not taken
/// for one, has been reported, and seems to leave out a condition.
bool covers_as_written(const Node& policy) {
  const auto match = policy.get("match");
  return !policy.reading().has_problems_in((match ? *match : policy).path());
}

std::string named(std::size_t index, const Policy& policy) {
  const std::string place = "policies[" + std::to_string(index) + "]";
  return policy.name.empty() ? place : place + " (" + policy.name + ")";
}

const char* word(store::Sequence::Kind kind) {
  switch (kind) {
    case store::Sequence::Kind::integer:
      return "integer";
    case store::Sequence::Kind::time:
      return "time";
    case store::Sequence::Kind::hex:
      break;
  }
  return "hex";
}

/// Policies share entities, and between two kinds of sequences there is no order.
void check_sequences(const std::vector<Node>& nodes, const std::vector<Policy>& policies) {
  const auto orders = [](const Policy& policy) { return policy.entity && policy.entity->sequence; };
  for (std::size_t i = 0; i < policies.size(); ++i) {
    if (!orders(policies[i])) continue;
    const auto& entity = *policies[i].entity;
    for (std::size_t j = 0; j < i; ++j) {
      if (!orders(policies[j]) || policies[j].entity->type != entity.type) continue;
      const auto other = policies[j].entity->sequence->kind();
      const auto node = nodes[i].get("entity");
      const auto sequence = node ? node->get("sequence") : std::nullopt;
      if (other == entity.sequence->kind() || !sequence) continue;
      sequence->problem(named(j, policies[j]) + " orders the entities of type `" + entity.type +
                        "` as " + word(other) + ", and this as " + word(entity.sequence->kind()) +
                        "; write the same `as` in both");
      break;
    }
  }
}

}  // namespace

void check_policy(const Node& node, const Policy& policy) {
  check_captures(node, policy);
  check_bodies(node, policy);
  check_fingerprint(node, policy);
  check_scope(node, policy);
  check_delivery(node, policy);
}

void check_policies(const Node& node, const std::vector<Policy>& policies) {
  const std::vector<Node> nodes = node.items();
  check_sequences(nodes, policies);
  check_ends(node, policies);
  check_listeners(node, policies);
  std::vector<bool> known;
  known.reserve(nodes.size());
  for (const Node& policy : nodes) known.push_back(covers_as_written(policy));
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const auto name = nodes[i].get("name");
    const auto match = nodes[i].get("match");
    for (std::size_t j = 0; j < i; ++j) {
      if (name && !policies[i].name.empty() && policies[i].name == policies[j].name) {
        name->problem("the name is taken by policies[" + std::to_string(j) +
                      "]; policies that are to share fingerprints share a `namespace`");
        break;
      }
    }
    if (!known[i]) continue;
    for (std::size_t j = 0; j < i; ++j) {
      if (!known[j] || !covers(policies[j].match, policies[i].match)) continue;
      (match ? *match : nodes[i])
          .problem("never reached: " + named(j, policies[j]) +
                   " covers the same requests and stands first; put this one before it, or "
                   "narrow its match");
      break;
    }
  }
}

}  // namespace onceproxy::config
