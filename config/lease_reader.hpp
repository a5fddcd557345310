// The section `lease` of a policy: a duration, or how it is determined. Pure; thread-safe.
#pragma once

#include <chrono>
#include <optional>

#include "config/kind.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

struct LeaseDraft {
  /// With `adaptive`: the lease until there are enough observations.
  std::chrono::milliseconds time{30'000};
  std::optional<policies::AdaptiveLease> adaptive;
};

Kind<LeaseDraft> lease();

}  // namespace onceproxy::config
