// What an operator of the webhook chooses, and the words by which pods ask for the sidecar. Values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace onceproxy::inject {

/// The label that the webhook's objectSelector selects by, and its value.
inline constexpr const char* label = "onceproxy.io/inject";
inline constexpr const char* label_value = "enabled";
/// The ConfigMap in the pod's namespace that holds the configuration. Required.
inline constexpr const char* config_annotation = "onceproxy.io/config";
/// The port that onceproxy listens on for requests, as its configuration says; to be declared.
inline constexpr const char* port_annotation = "onceproxy.io/port";
/// The telemetry port, as its configuration says; to be declared, so that a PodMonitor can name it.
/// Without it none is declared, and there is no liveness probe: it must not depend on a file that
/// may change.
inline constexpr const char* telemetry_annotation = "onceproxy.io/telemetry-port";
/// A volume of the pod for the store; without it the store is in an emptyDir.
inline constexpr const char* store_annotation = "onceproxy.io/store-volume";
/// What the webhook writes: the version that has injected the sidecar.
inline constexpr const char* injected_annotation = "onceproxy.io/injected";

/// Of the container, whoever adds it.
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
  /// Empty: none. A limit adds latency whenever it throttles.
  std::string cpu_limit;
  /// Of `onceproxy drain` in preStop.
  std::chrono::seconds drain_grace{5};
  std::chrono::seconds drain_timeout{15};
  /// Of `onceproxy run`: for what is still under way when the service has ended.
  std::chrono::seconds drain_time{5};
  /// Namespaces whose pods stay as they are.
  std::vector<std::string> excluded{"kube-system", "kube-public", "kube-node-lease"};
};

}  // namespace onceproxy::inject
