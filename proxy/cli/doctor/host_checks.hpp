// The machine: its clock, its limits, the user. Changes nothing.
#pragma once

#include <vector>

#include "config/settings.hpp"
#include "proxy/cli/doctor/findings.hpp"

namespace onceproxy::doctor {

std::vector<Finding> check_clock();
std::vector<Finding> check_descriptors(const config::Settings& settings);
std::vector<Finding> check_user();

}  // namespace onceproxy::doctor
