// The table of `tracing`: the collector and the share of traces. Private to this folder. Pure;
// thread-safe.
#pragma once

#include "config/kind.hpp"
#include "config/settings.hpp"

namespace onceproxy::config {

Kind<telemetry::TracingOptions> tracing();

}  // namespace onceproxy::config
