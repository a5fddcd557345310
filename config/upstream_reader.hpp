// The table of `upstream`: the service that is protected. Private to this folder. Pure;
// thread-safe.
#pragma once

#include "config/kind.hpp"
#include "config/settings.hpp"

namespace onceproxy::config {

Kind<UpstreamSettings> upstream();

}  // namespace onceproxy::config
