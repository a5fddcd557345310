// The effective configuration for operators: the content of the file without secrets (redact.hpp),
// with the keys of its presets and with every default. A feature that is off by default (`tracing`,
// a policy's `entity`) is left out. Pure except for the environment. Thread-safe.
#pragma once

#include <string_view>

#include "config/load.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::config {

using telemetry::Json;

/// null if the text is not a document. For a text that load() does not accept, it shows as much as
/// possible.
Json effective(std::string_view text, const Environment& environment);

}  // namespace onceproxy::config
