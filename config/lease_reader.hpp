// The section `lease` of a policy: a time, or how one is found. Pure; thread-safe.
#pragma once

#include <chrono>
#include <optional>

#include "config/kind.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

struct LeaseDraft {
  /// With `adaptive`, what holds until enough was observed.
  std::chrono::milliseconds time{30'000};
  std::optional<policies::AdaptiveLease> adaptive;
};

Kind<LeaseDraft> lease();

}  // namespace onceproxy::config
