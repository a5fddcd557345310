// `in_flight`: what a duplicate gets while the first request is under way. Pure; thread-safe.
#pragma once

#include "config/kind.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

Kind<policies::InFlightRule> in_flight();

}  // namespace onceproxy::config
