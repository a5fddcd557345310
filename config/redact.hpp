// A configuration as JSON for operators' eyes, without what may be a secret: whatever a variable
// was put into, the values of header fields, what is compared with a header, a cookie or a query
// parameter, and URLs that carry a password (of a PostgreSQL URL the
// password alone). Comments and anchors are gone; durations and sizes
// stay as they are written. Pure but for the environment. Thread-safe.
#pragma once

#include <string_view>

#include "config/load.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::config {

using telemetry::Json;

struct YamlValue;

/// An environment whose variables are set, and hold nothing that may be shown.
Environment hiding(const Environment& environment);

/// The same of a document that was parsed with a hiding environment.
Json redacted(const YamlValue& document);

/// null for a text that is not a document. `environment` tells which variables are set; their
/// values are not looked at.
Json redacted(std::string_view text, const Environment& environment);

}  // namespace onceproxy::config
