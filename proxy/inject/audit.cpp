#include "proxy/inject/audit.hpp"

#include "policies/json.hpp"
#include "proxy/inject/options.hpp"
#include "proxy/inject/pod.hpp"

namespace onceproxy::inject {

using policies::JsonTree;

namespace {

std::string asks_by(const Pod& pod) {
  if (pod.label(label) == label_value) return std::string("label ") + label;
  if (!pod.annotation(config_annotation).empty()) {
    return std::string("annotation ") + config_annotation;
  }
  return {};
}

void look_at(const Pod& pod, Audited& out) {
  const std::string asks = asks_by(pod);
  if (asks.empty() || pod.phase() == "Succeeded" || pod.phase() == "Failed") return;
  if (pod.has_sidecar()) {
    ++out.protected_count;
    return;
  }
  out.unprotected.push_back({std::string(pod.name_space()), std::string(pod.name()), asks});
}

std::string_view kind_of(const JsonTree& tree, JsonTree::Index object) {
  const JsonTree::Index* const kind = tree.member(object, "kind");
  if (kind == nullptr || tree.kind(*kind) != JsonTree::Kind::string) return {};
  return tree.text(*kind);
}

}  // namespace

tl::expected<Audited, std::string> audit(std::string_view json) {
  const auto tree = JsonTree::parse(json);
  if (!tree || tree->kind(0) != JsonTree::Kind::object) {
    return tl::unexpected(
        std::string("not a JSON object; give what "
                    "`kubectl get pods -A -o json` prints"));
  }
  Audited out;
  if (kind_of(*tree, 0) == "Pod") {
    look_at(Pod(*tree, 0), out);
    return out;
  }
  const JsonTree::Index* const items = tree->member(0, "items");
  if (items == nullptr || tree->kind(*items) != JsonTree::Kind::array) {
    return tl::unexpected(
        std::string("neither a list of pods nor a pod; give what "
                    "`kubectl get pods -A -o json` prints"));
  }
  for (const JsonTree::Index item : tree->children(*items)) {
    if (tree->kind(item) != JsonTree::Kind::object) continue;
    // A list of pods alone says so once.
    const std::string_view kind = kind_of(*tree, item);
    if (kind.empty() || kind == "Pod") look_at(Pod(*tree, item), out);
  }
  return out;
}

}  // namespace onceproxy::inject
