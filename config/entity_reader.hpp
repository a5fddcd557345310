// The conditions for a request besides its own operation: `entity` and `rate_limit`. Pure;
// thread-safe.
#pragma once

#include "config/kind.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

Kind<policies::EntityRule> entity();

Kind<policies::RateLimit> rate_limit();

}  // namespace onceproxy::config
