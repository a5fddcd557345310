// The JSON Schema of the configuration as a value, made from the readers' tables. What JSON Schema
// cannot express (the bounds of a duration, the version that brought a key) stands in $comment, for
// people. Pure; thread-safe.
#pragma once

#include "proxy/telemetry/json.hpp"

namespace onceproxy::config {

using telemetry::Json;

Json schema_document();

}  // namespace onceproxy::config
