// Leases: when the lease of a reservation without a holder begins and ends. The holder renews the
// lease on disk from time to time, so a holder that died may have lived longer than the disk shows.
// Therefore the lease is counted completely from the last moment at which the holder may have
// lived. After a start it never lasts longer than its own length, because every earlier holder is
// then gone, regardless of the clocks. Pure. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>

#include "store/record.hpp"
#include "store/terms.hpp"

namespace onceproxy::store {

/// The running process, in relation to the records of earlier ones.
struct Era {
  /// The time at which it opened the store.
  WallTime begun{};
  /// Reservations with this fence or a lower one belong to earlier processes.
  std::uint64_t fences_before = 0;
  /// Records with this fence or a lower one may have digests of an earlier version; 0: none has.
  std::uint64_t earlier_digests_fence = 0;
};

/// A lease is renewed on the first tick after a quarter of it has passed.
constexpr std::chrono::milliseconds renewed_after(std::chrono::milliseconds lease) {
  return lease / 4;
}
/// The longest time between two renewals: the quarter, a tick of a second, and a second to write
/// it.
constexpr std::chrono::milliseconds renewal_max(std::chrono::milliseconds lease) {
  return renewed_after(lease) + std::chrono::milliseconds(2'000);
}

/// The longest time that a record with these terms is remembered, unless an operator resolves it.
constexpr std::chrono::milliseconds remembered_max(const Terms& terms) {
  return terms.window + terms.lease + renewal_max(terms.lease);
}

/// The lease of a reservation that is made or renewed at `now`, and when it is forgotten: a window
/// after the latest end of the lease, since from then on its outcome counts as unknown.
void start_lease(Record& record, const Terms& terms, WallTime now);

/// The latest end of the lease of a reservation on disk. The same as `lease_ends` if an earlier
/// version wrote it, or if its outcome is unknown.
WallTime lease_end_max(const Record& record);

/// When the lease of a record ends that no call of the process holds.
WallTime lease_end(const Record& record, const Era& era);

/// When a record that no call of the process holds counts as absent.
WallTime expiry(const Record& record, const Era& era);

/// The state of the record at `now`: a reservation whose lease has ended has an unknown outcome.
/// `held`: a call of the process holds it.
Record::State state_at(const Record& record, const Era& era, WallTime now, bool held);

}  // namespace onceproxy::store
