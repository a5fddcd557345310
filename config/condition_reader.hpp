// Conditions: a selector and a test of the selected value. Pure; thread-safe.
#pragma once

#include <vector>

#include "config/kind.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// `match.where`.
Kind<std::vector<policies::Condition>> conditions();

/// `where` of an override: a condition or a list of them. Absent if one of them could not be read.
Kind<std::vector<policies::Condition>> one_or_more_conditions();

/// `where` of a rule about answers: a condition or a list of them, on the answer's status, header,
/// body or content. Absent if one of them could not be read.
Kind<std::vector<policies::Condition>> conditions_on_answer();

}  // namespace onceproxy::config
