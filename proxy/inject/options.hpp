// The options of the webhook, and the names of the label and annotations. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace onceproxy::inject {

/// The label of the webhook's objectSelector, and its value.
inline constexpr const char* label = "onceproxy.io/inject";
inline constexpr const char* label_value = "enabled";
/// The annotation with the ConfigMap in the pod's namespace that contains the configuration.
/// Required.
inline constexpr const char* config_annotation = "onceproxy.io/config";
/// The annotation with the port of the configuration's `listen`.
inline constexpr const char* port_annotation = "onceproxy.io/port";
/// The annotation with the telemetry port of the configuration. The port is declared for a
/// PodMonitor. Without the annotation no port is declared, and there is no liveness probe, because
/// the probe would depend on a file that may change.
inline constexpr const char* telemetry_annotation = "onceproxy.io/telemetry-port";
/// The annotation with a volume of the pod for the store; without it the store is in an emptyDir.
inline constexpr const char* store_annotation = "onceproxy.io/store-volume";
/// The annotation that the webhook writes: the version that has injected the sidecar.
inline constexpr const char* injected_annotation = "onceproxy.io/injected";

/// The name of the container.
inline constexpr const char* container_name = "onceproxy";
inline constexpr const char* telemetry_port_name = "telemetry";
inline constexpr const char* config_volume = "onceproxy-config";
inline constexpr const char* store_volume = "onceproxy-store";

struct Options {
  std::string image;
  /// Empty: Kubernetes' default for the image's tag.
  std::string pull_policy;
  std::string version;
  std::uint16_t port = 8080;
  /// The key of the ConfigMap.
  std::string config_key = "onceproxy.yaml";
  std::string cpu_request = "50m";
  std::string memory_request = "64Mi";
  std::string memory_limit = "512Mi";
  /// Empty: no limit. A limit adds latency when it throttles.
  std::string cpu_limit;
  /// For `onceproxy drain` in preStop.
  std::chrono::seconds drain_grace{5};
  std::chrono::seconds drain_timeout{15};
  /// For `onceproxy run`: the time for requests that are still under way when the service has
  /// ended.
  std::chrono::seconds drain_time{5};
  /// Namespaces whose pods are not changed.
  std::vector<std::string> excluded{"kube-system", "kube-public", "kube-node-lease"};
};

}  // namespace onceproxy::inject
