// What is added to a pod: the container and its volumes, as Kubernetes' API (core/v1) has them.
// Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "proxy/inject/options.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::inject {

/// What a pod asks for.
struct Wish {
  std::string config_map;
  std::uint16_t port = 0;
  /// Absent: none is declared.
  std::optional<std::uint16_t> telemetry_port = std::nullopt;
  /// A volume of the pod; empty: an emptyDir is added.
  std::string store_volume;
};

/// A native sidecar: an init container that is restarted for ever. It meets the restricted Pod
/// Security Standard, and runs as user and group 10001. Without a telemetry port it has no liveness
/// probe.
telemetry::Json sidecar(const Options& options, const Wish& wish);
telemetry::Json config_volume_of(const Wish& wish);
telemetry::Json store_volume_of();

/// What the sidecar needs of the pod's grace period: preStop, the drain after SIGTERM, and a moment
/// to end.
std::chrono::seconds grace_period_needed(const Options& options);

}  // namespace onceproxy::inject
