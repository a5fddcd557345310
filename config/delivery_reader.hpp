// `delivery` of a policy, and the list of listeners in a `listeners_file`. Pure; thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "config/kind.hpp"
#include "config/settings.hpp"
#include "policies/delivery.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

Kind<std::shared_ptr<const policies::DeliveryRules>> delivery();

/// A list of one or more listeners with different names.
Kind<policies::ListenerList> listener_list();

/// Reports keys of a policy that are not possible with `delivery`. `node`: the policy's map.
void check_delivery(const Node& node, const policies::Policy& policy);

/// Reports listeners that have the same name in several policies and differ. `node`: the list of
/// policies.
void check_listeners(const Node& node, const std::vector<policies::Policy>& policies);

Kind<DeadLetterSettings> dead_letters();
Kind<EventSettings> event_settings();

}  // namespace onceproxy::config
