// The row of `admin`: the admin port, and who may use it. Private to this folder. Pure;
// thread-safe.
#pragma once

#include "config/kind.hpp"
#include "config/settings.hpp"

namespace onceproxy::config {

/// Puts `admin` where it belongs: it is several members of Settings.
Key<Settings> admin_row();

}  // namespace onceproxy::config
