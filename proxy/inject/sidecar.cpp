#include "proxy/inject/sidecar.hpp"

#include <initializer_list>
#include <utility>
#include <vector>

namespace onceproxy::inject {

using config::Json;

namespace {

constexpr const char* config_directory = "/etc/onceproxy";
constexpr const char* store_directory = "/var/lib/onceproxy";
/// Between the end of the drain and SIGKILL.
constexpr std::chrono::seconds end_time{5};

/// The program is found by the image's PATH.
Json command(const Options& options, std::initializer_list<std::string> words,
             std::initializer_list<std::string> more = {}) {
  Json out = Json::array({"onceproxy"});
  for (const std::string& word : words) out.push_back(word);
  out.push_back("-c");
  out.push_back(std::string(config_directory) + "/" + options.config_key);
  for (const std::string& word : more) out.push_back(word);
  return out;
}

std::string text(std::chrono::seconds time) {
  return std::to_string(time.count()) + "s";
}

Json exec(Json command) {
  return Json::object({{"exec", Json::object({{"command", std::move(command)}})}});
}

Json probe(Json command, int period_seconds, int failures) {
  Json out = exec(std::move(command));
  out.set("periodSeconds", period_seconds);
  out.set("timeoutSeconds", 3);
  out.set("failureThreshold", failures);
  return out;
}

Json security() {
  return Json::object({{"allowPrivilegeEscalation", false},
                       {"readOnlyRootFilesystem", true},
                       {"runAsNonRoot", true},
                       {"capabilities", Json::object({{"drop", Json::array({"ALL"})}})},
                       {"seccompProfile", Json::object({{"type", "RuntimeDefault"}})}});
}

Json resources(const Options& options) {
  return Json::object({{"requests", Json::object({{"cpu", options.cpu_request},
                                                  {"memory", options.memory_request}})},
                       {"limits", Json::object({{"memory", options.memory_limit}})}});
}

Json mount(const std::string& volume, const char* path, bool read_only) {
  Json out = Json::object({{"name", volume}, {"mountPath", path}});
  if (read_only) out.set("readOnly", true);
  return out;
}

}  // namespace

Json sidecar(const Options& options, const Wish& wish) {
  const std::string store = wish.store_volume.empty() ? store_volume : wish.store_volume;
  Json out = Json::object({{"name", container_name}, {"image", options.image}});
  if (!options.pull_policy.empty()) out.set("imagePullPolicy", options.pull_policy);
  out.set("restartPolicy", "Always");
  out.set("command", command(options, {"run"}, {"--drain-time", text(options.drain_timeout)}));
  out.set(
      "ports",
      Json::array({Json::object({{"name", container_name}, {"containerPort", int{wish.port}}})}));
  // The store may be large, and a slow disk may keep its start.
  out.set("startupProbe", probe(command(options, {"health"}), 1, 120));
  out.set("readinessProbe", probe(command(options, {"health"}), 5, 2));
  // It must not fail while the program drains, and does not.
  out.set("livenessProbe", probe(command(options, {"health"}, {"--live"}), 10, 6));
  out.set("lifecycle",
          Json::object({{"preStop", exec(command(options, {"drain", "--wait"},
                                                 {"--grace", text(options.drain_grace), "--timeout",
                                                  text(options.drain_timeout)}))}}));
  out.set("resources", resources(options));
  out.set("securityContext", security());
  out.set("volumeMounts", Json::array({mount(config_volume, config_directory, true),
                                       mount(store, store_directory, false)}));
  return out;
}

Json config_volume_of(const Wish& wish) {
  return Json::object(
      {{"name", config_volume}, {"configMap", Json::object({{"name", wish.config_map}})}});
}

Json store_volume_of() {
  return Json::object({{"name", store_volume}, {"emptyDir", Json::object()}});
}

std::chrono::seconds grace_period_needed(const Options& options) {
  return options.drain_grace + options.drain_timeout + end_time;
}

}  // namespace onceproxy::inject
