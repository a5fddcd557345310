// `cors`: which pages of other origins may read the answers that onceproxy makes. Pure;
// thread-safe.
#pragma once

#include "config/kind.hpp"
#include "policies/cors.hpp"

namespace onceproxy::config {

Kind<policies::Cors> cors();

}  // namespace onceproxy::config
