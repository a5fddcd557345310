#include "proxy/inject/patch.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "proxy/inject/sidecar.hpp"

namespace onceproxy::inject {

using telemetry::Json;
using telemetry::JsonArray;
using telemetry::JsonObject;

namespace {

constexpr std::size_t object_name_max = 253;

Json operation(const char* what, const std::string& path, Json value) {
  JsonObject out;
  out["op"] = what;
  out["path"] = path;
  out["value"] = std::move(value);
  return out;
}

/// As a segment of a JSON Pointer (RFC 6901, section 3).
std::string escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

/// Behind what is in the list of spec, which is made where there is none.
void append(JsonArray& operations, const Pod& pod, const std::string& list, JsonArray items) {
  if (!pod.has_list(list)) {
    operations.push_back(operation("add", "/spec/" + list, std::move(items)));
    return;
  }
  for (Json& item : items) {
    operations.push_back(operation("add", "/spec/" + list + "/-", std::move(item)));
  }
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::string quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

/// Sets `port` to what an annotation names, where the pod has it.
std::optional<Denied> read_port(const Pod& pod, const char* annotation,
                                std::optional<std::uint16_t>& port) {
  const std::string_view text = pod.annotation(annotation);
  if (text.empty()) return std::nullopt;
  port = parse_port(text);
  if (port) return std::nullopt;
  return Denied{std::string("annotation ") + annotation + ": " + quoted(text) +
                " is not a port; give a number from 1 to 65535"};
}

/// What the pod asks for, or why it cannot have it.
std::variant<Wish, Denied> wish_of(const Pod& pod, const Options& options) {
  Wish wish;
  wish.config_map = pod.annotation(config_annotation);
  if (wish.config_map.empty()) {
    return Denied{std::string("the pod has the label ") + label + " and no annotation " +
                  config_annotation + "; name in it the ConfigMap with onceproxy's configuration"};
  }
  if (!is_object_name(wish.config_map)) {
    return Denied{std::string("annotation ") + config_annotation + ": " + quoted(wish.config_map) +
                  " is not the name of a ConfigMap"};
  }
  std::optional<std::uint16_t> port = options.port;
  if (auto denied = read_port(pod, port_annotation, port)) return *std::move(denied);
  if (auto denied = read_port(pod, telemetry_annotation, wish.telemetry_port)) {
    return *std::move(denied);
  }
  wish.port = *port;
  wish.store_volume = pod.annotation(store_annotation);
  if (!wish.store_volume.empty() && !pod.has_volume(wish.store_volume)) {
    return Denied{std::string("annotation ") + store_annotation + ": the pod has no volume " +
                  quoted(wish.store_volume)};
  }
  if (pod.has_claimed_volume(wish.store_volume) && !pod.has_volume_group()) {
    return Denied{std::string("annotation ") + store_annotation + ": the sidecar, user 10001, " +
                  "could not write to volume " + quoted(wish.store_volume) +
                  "; set the pod's securityContext.fsGroup"};
  }
  return wish;
}

/// Whether a container of the pod has the port already.
std::optional<Denied> taken(const Pod& pod, std::uint16_t port, const char* annotation) {
  const std::string_view owner = pod.container_with_port(port);
  if (owner.empty()) return std::nullopt;
  return Denied{"port " + std::to_string(port) + " is declared by container " + quoted(owner) +
                "; let onceproxy listen on another, and name it in annotation " + annotation};
}

/// What in the pod is in the sidecar's way.
std::optional<Denied> obstacle(const Pod& pod, const Wish& wish) {
  if (pod.operating_system() == "windows") {
    return Denied{"onceproxy runs on Linux, and the pod asks for windows"};
  }
  if (pod.has_named_container()) {
    return Denied{std::string("the pod has a container named ") + container_name +
                  " that does not run the sidecar; rename it"};
  }
  if (auto denied = taken(pod, wish.port, port_annotation)) return denied;
  if (wish.telemetry_port) {
    if (auto denied = taken(pod, *wish.telemetry_port, telemetry_annotation)) return denied;
    if (*wish.telemetry_port == wish.port) {
      return Denied{std::string("annotations ") + port_annotation + " and " + telemetry_annotation +
                    " name the same port"};
    }
  }
  const bool own_store = wish.store_volume.empty();
  for (const char* volume : {config_volume, own_store ? store_volume : config_volume}) {
    if (!pod.has_volume(volume)) continue;
    return Denied{std::string("the pod has a volume named ") + volume +
                  ", which is the sidecar's; name it otherwise"};
  }
  return std::nullopt;
}

Patched patch(const Pod& pod, const Wish& wish, const Options& options) {
  Patched out;
  // Last, so that it starts behind what prepares volumes and the network, and ends before it.
  JsonArray containers;
  containers.push_back(sidecar(options, wish));
  append(out.operations, pod, "initContainers", std::move(containers));
  JsonArray volumes;
  volumes.push_back(config_volume_of(wish));
  if (wish.store_volume.empty()) volumes.push_back(store_volume_of());
  append(out.operations, pod, "volumes", std::move(volumes));
  out.operations.push_back(operation("add", "/metadata/annotations/" + escaped(injected_annotation),
                                     Json(options.version)));
  const auto needed = grace_period_needed(options).count();
  // Kubernetes' default, where the object does not say it yet.
  const std::int64_t given = pod.grace_period_seconds().value_or(30);
  if (given < needed) {
    out.operations.push_back(
        operation("add", "/spec/terminationGracePeriodSeconds", Json(std::int64_t{needed})));
    out.warnings.push_back("onceproxy: terminationGracePeriodSeconds is raised from " +
                           std::to_string(given) + " to " + std::to_string(needed) +
                           ", so that requests under way can end");
  }
  if (!wish.telemetry_port) {
    out.warnings.push_back(std::string("onceproxy: there is no liveness probe, since no port is "
                                       "known for it; name the telemetry port in annotation ") +
                           telemetry_annotation);
  }
  if (wish.store_volume.empty()) {
    out.warnings.push_back(std::string("onceproxy: the store is in an emptyDir, and is lost with "
                                       "the pod; name a volume in annotation ") +
                           store_annotation + " to keep it");
  }
  return out;
}

}  // namespace

bool is_object_name(std::string_view text) {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (text.empty() || text.size() > object_name_max) return false;
  if (!alphanumeric(text.front()) || !alphanumeric(text.back())) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (alphanumeric(text[i]) || text[i] == '-') continue;
    const bool label_ends =
        text[i] == '.' && text[i - 1] != '-' && text[i - 1] != '.' && text[i + 1] != '-';
    if (!label_ends) return false;
  }
  return true;
}

Change change_of(const Pod& pod, std::string_view name_space, const Options& options) {
  const bool excluded = std::ranges::find(options.excluded, name_space) != options.excluded.end();
  // The webhook's selectors exclude these pods already; this does not depend on them.
  if (excluded || pod.label(label) != label_value) return Unchanged{};
  if (pod.has_sidecar()) return Unchanged{};
  auto wish = wish_of(pod, options);
  if (const Denied* denied = std::get_if<Denied>(&wish)) return *denied;
  if (const auto denied = obstacle(pod, std::get<Wish>(wish))) return *denied;
  return patch(pod, std::get<Wish>(wish), options);
}

}  // namespace onceproxy::inject
