// RecordCounts: how many records a store holds in which state, for gauges. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace onceproxy::store {

/// Records of one policy whose outcome is unknown now.
struct UnknownRecords {
  std::string policy;
  /// They wait for an operator; else for their lease (OnUnknown, as it was when they were made).
  bool hold = false;
  std::uint64_t count = 0;
  /// For how long the first of them has been.
  std::chrono::milliseconds oldest{0};
};

/// Records by what they amount to: a reservation that nobody holds is unknown after its lease.
struct RecordCounts {
  bool known = false;  ///< they were looked at, at least in part
  std::uint64_t reserved = 0;
  std::uint64_t completed = 0;
  std::uint64_t unknown = 0;
  /// Not estimated: those that were found so far.
  std::vector<UnknownRecords> unknown_by_policy = {};
};

}  // namespace onceproxy::store
