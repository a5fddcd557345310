// The container and volumes that are added to a pod, in Kubernetes' API (core/v1). Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "proxy/inject/options.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::inject {

/// The values that a pod requests.
struct Wish {
  std::string config_map;
  std::uint16_t port = 0;
  /// Absent: no port is declared.
  std::optional<std::uint16_t> telemetry_port = std::nullopt;
  /// A volume of the pod; empty: an emptyDir is added.
  std::string store_volume;
};

/// A native sidecar: an init container that is always restarted. It meets the restricted Pod
/// Security Standard, and runs as user and group 10001. Without a telemetry port it has no liveness
/// probe.
telemetry::Json sidecar(const Options& options, const Wish& wish);
telemetry::Json config_volume_of(const Wish& wish);
telemetry::Json store_volume_of();

/// The time that the sidecar needs of the pod's grace period: preStop, the drain after SIGTERM, and
/// a moment to end.
std::chrono::seconds grace_period_needed(const Options& options);

}  // namespace onceproxy::inject
