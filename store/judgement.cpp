#include "store/judgement.hpp"

#include <utility>

namespace onceproxy::store {

bool differ(const std::optional<PayloadDigest>& one, const std::optional<PayloadDigest>& other) {
  return one && other && *one != *other;
}

bool has_other_payload(const Record& record, const ReserveRequest& request, const Era& era) {
  if (!differ(record.payload, request.payload)) return false;
  const bool earlier = request.earlier && record.fence <= era.earlier_digests_fence;
  return !earlier || differ(record.payload, request.earlier->payload);
}

std::variant<Free, Mismatch, Held, Completed> judge(std::optional<Record> record,
                                                    const ReserveRequest& request, const Era& era,
                                                    WallTime now) {
  if (!record || expiry(*record, era) <= now) return Free{};
  if (has_other_payload(*record, request, era)) return Mismatch{};
  if (record->state == Record::State::completed) {
    return Completed{std::move(record->answer), record->settled, std::move(record->trace)};
  }
  // If time does not free it, a duplicate does not get the lease's end as Retry-After.
  if (request.terms.unknown == OnUnknown::hold) return Held{};
  if (const WallTime end = lease_end(*record, era); end > now) return Held{end - now};
  return Free{std::move(record)};
}

}  // namespace onceproxy::store
