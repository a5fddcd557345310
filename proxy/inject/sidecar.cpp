#include "proxy/inject/sidecar.hpp"

#include <initializer_list>
#include <utility>

namespace onceproxy::inject {

using telemetry::Json;
using telemetry::JsonArray;
using telemetry::JsonObject;

namespace {

using Words = std::initializer_list<std::string>;

constexpr const char* config_directory = "/etc/onceproxy";
constexpr const char* store_directory = "/var/lib/onceproxy";
/// Between the end of the drain and SIGKILL.
constexpr std::chrono::seconds end_time{5};
/// The user and the group of the image.
constexpr int sidecar_user = 10001;

/// The program is found by the image's PATH.
JsonArray command(const Options& options, Words words, Words more = {}) {
  JsonArray out;
  out.emplace_back("onceproxy");
  for (const std::string& word : words) out.emplace_back(word);
  out.emplace_back("-c");
  out.emplace_back(std::string(config_directory) + "/" + options.config_key);
  for (const std::string& word : more) out.emplace_back(word);
  return out;
}

std::string text(std::chrono::seconds time) {
  return std::to_string(time.count()) + "s";
}

JsonObject exec(JsonArray command) {
  JsonObject inner;
  inner["command"] = std::move(command);
  JsonObject out;
  out["exec"] = std::move(inner);
  return out;
}

JsonObject probe(JsonArray command, int period_seconds, int failures) {
  JsonObject out = exec(std::move(command));
  out["periodSeconds"] = period_seconds;
  out["timeoutSeconds"] = 3;
  out["failureThreshold"] = failures;
  return out;
}

/// Where the port is known the probe asks it, whatever becomes of the file: pods that work must not
/// be restarted, all at once, since somebody has misspelt a key.
JsonArray health(const Options& options, const Wish& wish, Words words = {}) {
  if (!wish.telemetry_port) return command(options, {"health"}, words);
  JsonArray out;
  for (const char* word : {"onceproxy", "health", "--telemetry"}) out.emplace_back(word);
  out.emplace_back("127.0.0.1:" + std::to_string(*wish.telemetry_port));
  for (const std::string& word : words) out.emplace_back(word);
  return out;
}

JsonObject lifecycle(const Options& options) {
  JsonObject out;
  out["preStop"] = exec(
      command(options, {"drain", "--wait"},
              {"--grace", text(options.drain_grace), "--timeout", text(options.drain_timeout)}));
  return out;
}

JsonObject security() {
  JsonArray all;
  all.emplace_back("ALL");
  JsonObject capabilities;
  capabilities["drop"] = std::move(all);
  JsonObject seccomp;
  seccomp["type"] = "RuntimeDefault";
  JsonObject out;
  out["allowPrivilegeEscalation"] = false;
  out["readOnlyRootFilesystem"] = true;
  // As the image has it. The pod's own user may be root, which the kubelet would refuse here.
  out["runAsNonRoot"] = true;
  out["runAsUser"] = sidecar_user;
  out["runAsGroup"] = sidecar_user;
  out["capabilities"] = std::move(capabilities);
  out["seccompProfile"] = std::move(seccomp);
  return out;
}

JsonObject resources(const Options& options) {
  JsonObject requests;
  requests["cpu"] = options.cpu_request;
  requests["memory"] = options.memory_request;
  JsonObject limits;
  limits["memory"] = options.memory_limit;
  if (!options.cpu_limit.empty()) limits["cpu"] = options.cpu_limit;
  JsonObject out;
  out["requests"] = std::move(requests);
  out["limits"] = std::move(limits);
  return out;
}

JsonObject port(const char* name, std::uint16_t number) {
  JsonObject out;
  out["name"] = name;
  out["containerPort"] = int{number};
  return out;
}

JsonArray ports(const Wish& wish) {
  JsonArray out;
  out.emplace_back(port(container_name, wish.port));
  if (wish.telemetry_port) out.emplace_back(port(telemetry_port_name, *wish.telemetry_port));
  return out;
}

JsonObject mount(const std::string& volume, const char* path) {
  JsonObject out;
  out["name"] = volume;
  out["mountPath"] = path;
  return out;
}

JsonArray mounts(const Wish& wish) {
  JsonObject config = mount(config_volume, config_directory);
  config["readOnly"] = true;
  JsonArray out;
  out.emplace_back(std::move(config));
  out.emplace_back(
      mount(wish.store_volume.empty() ? store_volume : wish.store_volume, store_directory));
  return out;
}

}  // namespace

Json sidecar(const Options& options, const Wish& wish) {
  JsonObject out;
  out["name"] = container_name;
  out["image"] = options.image;
  if (!options.pull_policy.empty()) out["imagePullPolicy"] = options.pull_policy;
  out["restartPolicy"] = "Always";
  out["command"] = command(options, {"run"}, {"--drain-time", text(options.drain_time)});
  out["ports"] = ports(wish);
  // The store may be large, and a slow disk may keep its start.
  out["startupProbe"] = probe(health(options, wish), 1, 120);
  out["readinessProbe"] = probe(health(options, wish), 5, 2);
  // It must not fail while the program drains, and does not.
  if (wish.telemetry_port) {
    out["livenessProbe"] = probe(health(options, wish, {"--live"}), 10, 6);
  }
  out["lifecycle"] = lifecycle(options);
  out["resources"] = resources(options);
  out["securityContext"] = security();
  out["volumeMounts"] = mounts(wish);
  return out;
}

Json config_volume_of(const Wish& wish) {
  JsonObject config_map;
  config_map["name"] = wish.config_map;
  JsonObject out;
  out["name"] = config_volume;
  out["configMap"] = std::move(config_map);
  return out;
}

Json store_volume_of() {
  JsonObject out;
  out["name"] = store_volume;
  out["emptyDir"] = JsonObject();
  return out;
}

std::chrono::seconds grace_period_needed(const Options& options) {
  return options.drain_grace + options.drain_timeout + options.drain_time + end_time;
}

}  // namespace onceproxy::inject
