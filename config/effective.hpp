// A configuration as it is in force, for operators' eyes: what the file says, without secrets
// (redact.hpp), with the keys of its presets and with every default in the place where it could be
// written. What is off where it is left out (`tracing`, a policy's `entity`) stays out.
// Pure but for the environment. Thread-safe.
#pragma once

#include <string_view>

#include "config/load.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::config {

using telemetry::Json;

/// null for a text that is no document. For a text that load() takes; of another it shows what can
/// be told.
Json effective(std::string_view text, const Environment& environment);

}  // namespace onceproxy::config
