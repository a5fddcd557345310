// The listeners of a policy with `delivery`, which stand in the configuration or in a file of their
// own (`listeners_file`), and what `to: upstream` shares with them. Pure; thread-safe.
#pragma once

#include <cstdint>

#include "config/kind.hpp"
#include "policies/delivery.hpp"

namespace onceproxy::config {

/// A list of at least one listener, each with a different name.
Kind<policies::ListenerList> listener_list();

/// How often a delivery is attempted, and the pauses between.
Kind<std::uint32_t> attempts();
Kind<policies::Backoff> backoff();

}  // namespace onceproxy::config
