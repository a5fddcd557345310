// The answer to GET /memory. Private to this folder. Thread-safe.
#pragma once

#include "proxy/telemetry/json.hpp"

namespace onceproxy::admin {

/// {"allocated":"…","heap_size":"…","total_physical_bytes":"…"}: the memory that the program has
/// allocated, the memory that the allocator got from the system, and the resident memory of the
/// process. Numbers are strings, as in Envoy's answer (protobuf's JSON writes 64-bit numbers as
/// strings).
telemetry::Json memory();

}  // namespace onceproxy::admin
