// Verdict: what a record on disk means for a request that asks for its fingerprint now. Pure.
#pragma once

#include <optional>
#include <variant>

#include "store/lease.hpp"
#include "store/record.hpp"
#include "store/request.hpp"
#include "store/result.hpp"

namespace onceproxy::store {

/// Both known and different.
bool differ(const std::optional<PayloadDigest>& one, const std::optional<PayloadDigest>& other);

/// The fingerprint is free: there is no live record, or one whose unknown outcome may be tried
/// again, which then is `previous`.
struct Free {
  std::optional<Record> previous;
};

/// Whether the record has another payload than the request, both being known. A record that an
/// earlier version wrote has the same one where either of the request's digests says so.
bool has_other_payload(const Record& record, const ReserveRequest& request, const Era& era);

/// `record` is what was found, for a request that asks at `now` under `terms`. A record that is
/// still `reserved` belongs to nobody in this process, the one of `era`: the caller has made sure
/// of that.
std::variant<Free, Mismatch, Held, Completed> judge(std::optional<Record> record,
                                                    const ReserveRequest& request, const Era& era,
                                                    WallTime now);

}  // namespace onceproxy::store
