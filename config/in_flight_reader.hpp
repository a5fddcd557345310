// `in_flight`: the answer for a duplicate while the first request is under way. Pure; thread-safe.
#pragma once

#include "config/kind.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

Kind<policies::InFlightRule> in_flight();

}  // namespace onceproxy::config
