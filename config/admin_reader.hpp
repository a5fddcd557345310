// The row of `admin`: the admin port and its authentication. Private to this folder. Pure;
// thread-safe.
#pragma once

#include "config/kind.hpp"
#include "config/settings.hpp"

namespace onceproxy::config {

/// Stores `admin`, which consists of several members of Settings.
Key<Settings> admin_row();

}  // namespace onceproxy::config
