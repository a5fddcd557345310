#include "store/lease.hpp"

#include <algorithm>

namespace onceproxy::store {

void start_lease(Record& record, const Terms& terms, WallTime now) {
  record.settled = now;
  record.lease_ends = now + terms.lease;
  record.expires = lease_end_max(record) + terms.window;
}

WallTime lease_end_max(const Record& record) {
  const bool renewed = record.state == Record::State::reserved && record.settled != WallTime();
  return renewed ? record.lease_ends + renewal_max(record.lease_ends - record.settled)
                 : record.lease_ends;
}

WallTime lease_end(const Record& record, const Era& era) {
  const WallTime end = lease_end_max(record);
  // How long the lease is, an earlier version did not write down.
  if (record.fence > era.fences_before || record.settled == WallTime()) return end;
  return std::min(end, era.begun + (record.lease_ends - record.settled));
}

WallTime expiry(const Record& record, const Era& era) {
  // The window begins where the lease is over, which may be earlier than was written down.
  const bool reserved = record.state == Record::State::reserved;
  return reserved ? record.expires - (lease_end_max(record) - lease_end(record, era))
                  : record.expires;
}

Record::State state_at(const Record& record, const Era& era, WallTime now, bool held) {
  const bool over =
      record.state == Record::State::reserved && !held && lease_end(record, era) <= now;
  return over ? Record::State::unknown : record.state;
}

}  // namespace onceproxy::store
