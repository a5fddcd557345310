// Leases: from when to when a reservation that nobody holds is left alone. Its holder renews the
// lease on disk now and then, so a holder that died may have lived a while longer than the disk
// tells: the lease is taken to run, whole, from the last moment at which it may have lived. It
// never holds for longer than itself once a process has begun, since whoever held it before is gone
// by then, whatever the clocks did meanwhile. Pure. Thread-safe as any value is.
#pragma once

#include <chrono>
#include <cstdint>

#include "store/record.hpp"
#include "store/terms.hpp"

namespace onceproxy::store {

/// The process that runs, as the records of earlier ones see it.
struct Era {
  /// When it opened the store.
  WallTime begun{};
  /// Reservations with this fence or a lower one are an earlier process's.
  std::uint64_t fences_before = 0;
  /// Records with this fence or a lower one may have digests of an earlier version; 0: none has.
  std::uint64_t earlier_digests_fence = 0;
};

/// A lease is renewed once more than a quarter of it has passed, on the next tick.
constexpr std::chrono::milliseconds renewed_after(std::chrono::milliseconds lease) {
  return lease / 4;
}
/// Between two renewals lies no more: the quarter, a tick of a second, and a second to write it.
constexpr std::chrono::milliseconds renewal_max(std::chrono::milliseconds lease) {
  return renewed_after(lease) + std::chrono::milliseconds(2'000);
}

/// No record that is written under these terms is remembered for longer, whatever becomes of it,
/// unless an operator resolves it.
constexpr std::chrono::milliseconds remembered_max(const Terms& terms) {
  return terms.window + terms.lease + renewal_max(terms.lease);
}

/// The lease of a reservation that is made or renewed at `now`, and when it is forgotten: a window
/// after it can be over at the latest, since from then on its outcome counts as unknown.
void start_lease(Record& record, const Terms& terms, WallTime now);

/// When the lease of a reservation on disk can be over at the latest. As `lease_ends` where an
/// earlier version wrote it, or its outcome is known to be unknown.
WallTime lease_end_max(const Record& record);

/// When the lease of a record that nobody in the process holds is over.
WallTime lease_end(const Record& record, const Era& era);

/// From then on a record that nobody in the process holds counts as not there.
WallTime expiry(const Record& record, const Era& era);

/// What the record amounts to at `now`: a reservation whose lease is over has an unknown outcome.
/// `held`: somebody in the process has it.
Record::State state_at(const Record& record, const Era& era, WallTime now, bool held);

}  // namespace onceproxy::store
