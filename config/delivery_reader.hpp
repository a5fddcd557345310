// `delivery` of a policy, and the list of listeners that a `listeners_file` holds. Pure;
// thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "config/kind.hpp"
#include "config/settings.hpp"
#include "policies/delivery.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

Kind<std::shared_ptr<const policies::DeliveryRules>> delivery();

/// One listener and more, each with a name of its own.
Kind<policies::ListenerList> listener_list();

/// What cannot be beside `delivery` in a policy. `node` is the policy's map.
void check_delivery(const Node& node, const policies::Policy& policy);

/// One name is one listener in all policies. `node` is their list.
void check_listeners(const Node& node, const std::vector<policies::Policy>& policies);

/// Events need a store that keeps them. `node` is the whole document.
void check_event_store(const Node& node, const Settings& settings);

Kind<DeadLetterSettings> dead_letters();
Kind<EventSettings> event_settings();

}  // namespace onceproxy::config
