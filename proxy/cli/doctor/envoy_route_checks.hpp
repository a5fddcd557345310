// An Envoy's routes that lead to onceproxy, or through a filter that asks it: whether Envoy
// repeats, doubles or cuts short what onceproxy lets through once. Pure.
#pragma once

#include "proxy/cli/doctor/envoy_dump.hpp"
#include "proxy/cli/doctor/envoy_needs.hpp"
#include "proxy/cli/doctor/few.hpp"

namespace onceproxy::doctor {

/// Envoy asks onceproxy through `filter` and forwards by itself. Of a route that does not use the
/// filter nothing is checked but that.
void check_asking_route(const EnvoyDump& dump, const EnvoyManager& manager,
                        const EnvoyFilter& filter, const EnvoyRoute& route, const EnvoyNeeds& needs,
                        Few& findings);

/// Envoy forwards to onceproxy.
void check_forwarding_route(const EnvoyDump& dump, const EnvoyManager& manager,
                            const EnvoyRoute& route, const EnvoyNeeds& needs, Few& findings);

/// Of filters of the manager that stand before either.
void check_buffers(const EnvoyManager& manager, const EnvoyNeeds& needs, Few& findings);

}  // namespace onceproxy::doctor
