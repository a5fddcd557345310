// A configuration as JSON for operators, without values that may be secret: values with variables,
// values of header fields, values that are compared with a header, a cookie or a query parameter,
// and URLs with a password (in a PostgreSQL URL only the password). Comments and anchors are
// removed; durations and sizes are not changed. Pure except for the environment. Thread-safe.
#pragma once

#include <string_view>

#include "config/load.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::config {

using telemetry::Json;

struct YamlValue;

/// An environment in which variables are set but have no visible values.
Environment hiding(const Environment& environment);

/// The same for a document that was parsed with such an environment.
Json redacted(const YamlValue& document);

/// null if the text is not a document. `environment`: tells which variables are set; their values
/// are not used.
Json redacted(std::string_view text, const Environment& environment);

}  // namespace onceproxy::config
