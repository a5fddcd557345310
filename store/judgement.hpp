// Judgement: what a stored record means for a request with the same fingerprint at this time. Pure.
#pragma once

#include <optional>
#include <variant>

#include "store/lease.hpp"
#include "store/record.hpp"
#include "store/request.hpp"
#include "store/result.hpp"

namespace onceproxy::store {

/// Whether both are known and differ.
bool differ(const std::optional<PayloadDigest>& one, const std::optional<PayloadDigest>& other);

/// The fingerprint is free: there is no live record, or its outcome is unknown and may be retried.
/// In the latter case `previous` is the record.
struct Free {
  std::optional<Record> previous;
};

/// Whether the record has another payload than the request, if both are known. For a record of an
/// earlier version, one equal digest is sufficient.
bool has_other_payload(const Record& record, const ReserveRequest& request, const Era& era);

/// `record`: the stored record, for a request at `now` with `terms`. A record that is still
/// `reserved` is not held by this process (of `era`); the caller has checked that.
std::variant<Free, Mismatch, Held, Completed> judge(std::optional<Record> record,
                                                    const ReserveRequest& request, const Era& era,
                                                    WallTime now);

}  // namespace onceproxy::store
