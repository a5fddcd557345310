// An Envoy's filter ext_proc: whether it fails closed, lets onceproxy ask for what it needs, and
// waits long enough. Pure.
#pragma once

#include <string>

#include "proxy/cli/doctor/envoy_dump.hpp"
#include "proxy/cli/doctor/envoy_needs.hpp"
#include "proxy/cli/doctor/few.hpp"

namespace onceproxy::doctor {

/// A processing_mode of the filter or of a route; nullptr if there is none.
void check_processing_mode(const Json* mode, const std::string& where, Few& findings);

void check_ext_proc(const EnvoyManager& manager, const EnvoyFilter& filter, const EnvoyNeeds& needs,
                    Few& findings);

}  // namespace onceproxy::doctor
