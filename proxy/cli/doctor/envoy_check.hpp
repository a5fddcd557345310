// A running Envoy in front of onceproxy: whether its configuration undermines what onceproxy
// promises. Two ways lead to onceproxy: a filter ext_proc that asks it, and routes to a cluster on
// the port of `listen`. The dump does not always show where an ext_proc filter leads, so a filter
// is checked unless its cluster is known to have no endpoint at `envoy.listen`. Pure.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "config/settings.hpp"
#include "proxy/cli/doctor/findings.hpp"

namespace onceproxy::doctor {

/// `dump`: what GET /config_dump of Envoy's admin port answered. Of findings of one kind at most
/// ten are told one by one.
std::vector<Finding> check_envoy(const std::string& dump, const config::Settings& settings);

}  // namespace onceproxy::doctor
