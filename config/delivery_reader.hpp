// `delivery` of a policy, and `delivery` and `dead_letters` at the top level. Pure; thread-safe.
#pragma once

#include <memory>

#include "config/kind.hpp"
#include "config/settings.hpp"
#include "policies/delivery.hpp"

namespace onceproxy::config {

Kind<std::shared_ptr<const policies::DeliveryRules>> delivery();

Kind<DeadLetterSettings> dead_letters();
Kind<EventSettings> event_settings();

}  // namespace onceproxy::config
