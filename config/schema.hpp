// The JSON Schema of the configuration, made from the readers' tables. Facts that JSON Schema
// cannot express (the range of a duration, the version that added a key) are in $comment. Pure;
// thread-safe.
#pragma once

#include "proxy/telemetry/json.hpp"

namespace onceproxy::config {

using telemetry::Json;

Json schema_document();

}  // namespace onceproxy::config
