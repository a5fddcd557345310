// What GET /memory shows. Private to this folder. Thread-safe.
#pragma once

#include <string>

namespace onceproxy::admin {

/// {"allocated":"…","heap_size":"…","total_physical_bytes":"…"}: what the program asked the
/// allocator for, what the allocator took from the system, and what of the process is resident.
/// Numbers are strings, as in Envoy's answer (protobuf's JSON writes 64 bits so).
std::string memory_json();

}  // namespace onceproxy::admin
