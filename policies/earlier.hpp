// Earlier: the digests of a request in the previous version. After an upgrade a redelivery must
// find the record of its first delivery, which the previous version wrote. The gate uses this as
// long as such a record may exist (store::Store::digests_since).
//
// Version 1 (store::digests_version) read bodies by what they are and not by what they say:
//   content: JSON in canonical form if the body is JSON, whatever its Content-Type; its bytes
//            otherwise, also of forms;
//   form:    of application/x-www-form-urlencoded alone.
// And presets selected what Policy::earlier says.
// Pure; thread-safe as long as each thread has its own Document.
#pragma once

#include <optional>

#include "policies/document.hpp"
#include "policies/policy.hpp"
#include "policies/request_view.hpp"
#include "policies/select.hpp"
#include "store/fingerprint.hpp"

namespace onceproxy::policies {

/// Nothing if they are equal to those of `operation`, which is the request's, or if the previous
/// version had none.
std::optional<store::EarlierDigests> earlier_digests(const Policy& policy,
                                                     const Operation& operation,
                                                     const RequestView& request, Document& body);

}  // namespace onceproxy::policies
