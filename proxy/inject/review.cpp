#include "proxy/inject/review.hpp"

#include <optional>
#include <utility>

#include "policies/json.hpp"
#include "proxy/inject/patch.hpp"
#include "proxy/inject/pod.hpp"
#include "proxy/telemetry/json.hpp"
#include "store/base64.hpp"

namespace onceproxy::inject {

using policies::JsonTree;
using telemetry::JsonArray;
using telemetry::JsonObject;

namespace {

constexpr const char* api_version = "admission.k8s.io/v1";
constexpr const char* kind_name = "AdmissionReview";

std::string_view text(const JsonTree& tree, JsonTree::Index object, std::string_view name) {
  const JsonTree::Index* found = tree.member(object, name);
  if (found == nullptr || tree.kind(*found) != JsonTree::Kind::string) return {};
  return tree.text(*found);
}

const JsonTree::Index* object(const JsonTree& tree, JsonTree::Index in, std::string_view name) {
  const JsonTree::Index* found = tree.member(in, name);
  return found != nullptr && tree.kind(*found) == JsonTree::Kind::object ? found : nullptr;
}

JsonObject allowed(std::string_view uid) {
  return JsonObject({{"uid", uid}, {"allowed", true}});
}

JsonObject denied(std::string_view uid, const std::string& why) {
  JsonObject status({{"code", 403}, {"reason", "Forbidden"}, {"message", "onceproxy: " + why}});
  return JsonObject({{"uid", uid}, {"allowed", false}, {"status", std::move(status)}});
}

JsonObject patched(std::string_view uid, const Patched& patch) {
  JsonObject response = allowed(uid);
  response["patchType"] = "JSONPatch";
  response["patch"] = store::base64(telemetry::json_text(patch.operations));
  if (patch.warnings.empty()) return response;
  JsonArray warnings;
  for (const std::string& warning : patch.warnings) warnings.emplace_back(warning);
  response["warnings"] = std::move(warnings);
  return response;
}

/// A pod that is being made; everything else stays as it is.
bool is_new_pod(const JsonTree& tree, JsonTree::Index request) {
  const JsonTree::Index* kind = object(tree, request, "kind");
  return kind != nullptr && text(tree, *kind, "kind") == "Pod" &&
         text(tree, *kind, "group").empty() && text(tree, request, "operation") == "CREATE" &&
         text(tree, request, "subResource").empty();
}

std::string name_of(const Pod& pod, std::string_view name_space) {
  const std::string_view name = pod.name().empty() ? pod.generate_name() : pod.name();
  return std::string(name_space) + "/" + std::string(name);
}

}  // namespace

tl::expected<Reviewed, std::string> review(std::string_view body, const Options& options) {
  const auto tree = JsonTree::parse(body);
  if (!tree || tree->kind(0) != JsonTree::Kind::object) {
    return tl::unexpected(std::string("the body is not a JSON object"));
  }
  if (text(*tree, 0, "apiVersion") != api_version || text(*tree, 0, "kind") != kind_name) {
    return tl::unexpected(std::string("the body is not an AdmissionReview of ") + api_version);
  }
  const JsonTree::Index* const request = object(*tree, 0, "request");
  const std::string_view uid = request == nullptr ? "" : text(*tree, *request, "uid");
  if (uid.empty()) return tl::unexpected(std::string("the review has no request with a uid"));

  Reviewed out{PodResult::unchanged, {}, {}, {}};
  JsonObject response = allowed(uid);
  if (is_new_pod(*tree, *request)) {
    const JsonTree::Index* const found = object(*tree, *request, "object");
    if (found == nullptr) return tl::unexpected(std::string("the request has no object"));
    const Pod pod(*tree, *found);
    const std::string_view name_space = text(*tree, *request, "namespace");
    out.pod = name_of(pod, name_space);
    const Change change = change_of(pod, name_space, options);
    if (const Denied* refusal = std::get_if<Denied>(&change)) {
      out.result = PodResult::denied;
      out.why = refusal->why;
      response = denied(uid, refusal->why);
    } else if (const Patched* patch = std::get_if<Patched>(&change)) {
      out.result = PodResult::injected;
      response = patched(uid, *patch);
    }
  }
  const JsonObject answer(
      {{"apiVersion", api_version}, {"kind", kind_name}, {"response", std::move(response)}});
  out.body = telemetry::json_text(answer) + "\n";
  return out;
}

}  // namespace onceproxy::inject
