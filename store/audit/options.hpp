// AuditOptions: what an operator sets of the audit log. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>

namespace onceproxy::store {

struct AuditOptions {
  bool enabled = true;
  /// How long an entry is kept, at most.
  std::chrono::milliseconds retention = std::chrono::hours(7 * 24);
  /// What the files hold together; refusals get a quarter of it.
  std::uint64_t bytes_max = std::uint64_t{1} << 30;

  friend bool operator==(const AuditOptions&, const AuditOptions&) = default;
};

}  // namespace onceproxy::store
