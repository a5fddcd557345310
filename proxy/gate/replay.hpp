// Adapts a stored answer to the request that gets it. The content stays the same, but the first
// request may have accepted another content coding, come from another origin, or had another
// request id or protocol id. Pure; thread-safe as long as each thread has its own Document.
#pragma once

#include "policies/fields.hpp"
#include "policies/policy.hpp"
#include "proxy/gate/answer.hpp"
#include "store/answer.hpp"

namespace onceproxy::gate {

/// A larger stored answer is not decoded; it is sent with its content coding.
inline constexpr std::size_t replay_decoded_bytes_max = std::size_t{16} << 20;

/// The stored answer, marked as a replay:
/// - without the first one's x-request-id, and without fields of CORS that are for another origin;
/// - if its content coding is not named in Accept-Encoding, decoded (gzip, deflate). One that
///   cannot be decoded, or says `no-transform` (RFC 9110 7.7), goes out as it is stored: there is
///   no other, and 406 would hide that the operation was done. Nothing else of Vary is minded,
///   since one answer is all there is;
/// - with the values of `replay.set` out of the request that asks.
/// It keeps its Date.
Answer replay(store::StoredAnswer stored, const policies::ReplayRules& rules,
              const policies::Subject& asking);

}  // namespace onceproxy::gate
