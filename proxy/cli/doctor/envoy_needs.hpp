// What a configuration of onceproxy needs of an Envoy in front of it. Pure.
#pragma once

#include <chrono>
#include <cstdint>

#include "config/settings.hpp"

namespace onceproxy::doctor {

struct EnvoyNeeds {
  /// What an operation may take before its outcome counts as unknown, at most: the longest lease
  /// where Envoy forwards itself, or upstream.response_timeout.
  std::chrono::milliseconds lease{0};
  std::chrono::milliseconds response{0};
  /// How long a duplicate, or a request whose turn has not come, may wait for its answer.
  std::chrono::milliseconds wait{0};
  /// The time that onceproxy requests of Envoy's filter for such a wait; Envoy ignores the request
  /// if it does not allow so long a time.
  std::chrono::milliseconds extension{0};
  std::uint64_t body_bytes = 0;
};

EnvoyNeeds envoy_needs(const config::Settings& settings);

}  // namespace onceproxy::doctor
