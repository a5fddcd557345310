// Writes points in time as RFC 3339 5.6 has them, in UTC. policies/timestamp.hpp reads them. The
// logs write theirs with telemetry/json_text.hpp, which keeps the text of the last second. Pure.
// Thread-safe.
#pragma once

#include <chrono>
#include <string>

namespace onceproxy::store {

/// "2026-11-27T08:42:25Z". The fraction of a second is dropped. Years from 0 to 9999 have four
/// digits; others have as many as they need.
std::string utc_text(std::chrono::sys_seconds time);

}  // namespace onceproxy::store
