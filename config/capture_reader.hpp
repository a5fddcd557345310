// `log.capture`: the file with requests that `onceproxy backtest` reads. Pure; thread-safe.
#pragma once

#include "config/kind.hpp"
#include "config/settings.hpp"

namespace onceproxy::config {

Kind<telemetry::CaptureOptions> capture();

}  // namespace onceproxy::config
