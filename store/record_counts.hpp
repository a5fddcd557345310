// RecordCounts: the numbers of records in each state, for gauges. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace onceproxy::store {

/// The records of one policy whose outcome is unknown now.
struct UnknownRecords {
  std::string policy;
  /// Whether they wait for an operator; otherwise they wait for their lease (OnUnknown at the time
  /// of the reservation).
  bool hold = false;
  std::uint64_t count = 0;
  /// How long the first of them has been unknown.
  std::chrono::milliseconds oldest{0};
};

/// The records by their effective state: a reservation without a holder is unknown after its lease.
struct RecordCounts {
  bool known = false;  ///< they were looked at, at least in part
  std::uint64_t reserved = 0;
  std::uint64_t completed = 0;
  std::uint64_t unknown = 0;
  /// Not estimated; the number of records that have been found so far.
  std::vector<UnknownRecords> unknown_by_policy = {};
};

}  // namespace onceproxy::store
