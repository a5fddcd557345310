// Near misses: requests that no policy covers and that one policy nearly covers. They reveal a
// policy that protects nothing because of a small mistake: a method that is not listed, a header or
// a condition that never holds, another spelling of a path. No decision depends on them. Pure;
// thread-safe.
#pragma once

#include <vector>

#include "policies/policy.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::policies {

/// The first part of a policy's match that the request does not meet.
enum class NearMiss {
  method,     ///< the path is covered, the method is not, and it is none that only reads
  header,     ///< path and method are covered, one of `headers` is not as it should be
  condition,  ///< path, method and headers are covered, `where` is not
  path,       ///< the method is covered, the path is another by one slip
};

struct Missed {
  const Policy* policy;
  NearMiss what;
};

/// The policies that nearly cover the request, in order. Called for a request that no policy
/// covers. A small difference in a path is: a slash at its end, the case of letters, one letter of
/// one segment of four or more, or additional or missing segments at its beginning. An expression
/// is only compared with and without a slash at the end. The time is proportional to the number of
/// policies.
std::vector<Missed> near_misses(const std::vector<Policy>& policies, const RequestView& request);

}  // namespace onceproxy::policies
