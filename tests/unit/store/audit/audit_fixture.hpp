// What the tests of the audit log share: entries, and their bytes.
#pragma once

#include <string>

#include "store/audit/entry.hpp"
#include "store_fixture.hpp"

namespace onceproxy::store::testing {

inline WallTime at(std::int64_t milliseconds) {
  return WallTime(std::chrono::milliseconds(milliseconds));
}

inline AuditForward forward(std::uint64_t fence, WallTime time) {
  AuditForward entry;
  entry.time = time;
  entry.fence = fence;
  entry.fingerprint = fingerprint(fence);
  entry.policy = "dispatch";
  entry.request_id = "9f0c0f5e-3b1c-4a06-9d7e-0d7b5d1c6b4f";
  return entry;
}

inline AuditEnding ending(std::uint64_t fence, WallTime time,
                          AuditEnding::How how = AuditEnding::How::completed, int status = 200,
                          std::string_view error = {}) {
  return {time, fence, how, status, error};
}

inline AuditRefusal refusal(std::uint64_t number, WallTime time,
                            std::string_view decision = "replayed") {
  AuditRefusal entry;
  entry.time = time;
  entry.fingerprint = fingerprint(number);
  entry.decision = decision;
  entry.policy = "dispatch";
  entry.request_id = "r";
  return entry;
}

template <typename... Entries>
std::string bytes_of(const Entries&... entries) {
  std::string out;
  (append(out, entries), ...);
  return out;
}

}  // namespace onceproxy::store::testing
