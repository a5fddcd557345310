// What GET /memory shows. Private to this folder. Thread-safe.
#pragma once

#include "proxy/telemetry/json.hpp"

namespace onceproxy::admin {

/// {"allocated":"…","heap_size":"…","total_physical_bytes":"…"}: what the program asked the
/// allocator for, what the allocator took from the system, and what of the process is resident.
/// Numbers are strings, as in Envoy's answer (protobuf's JSON writes 64 bits so).
telemetry::Json memory();

}  // namespace onceproxy::admin
