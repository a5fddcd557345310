// Near misses: requests that no policy covers, and that one nearly does. They show a policy that
// protects nothing because of a slip: a method that is not listed, a header or a condition that is
// never as it asks, a path that is spelt otherwise. Nothing is decided by them.
// Pure; thread-safe.
#pragma once

#include <vector>

#include "policies/policy.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::policies {

/// The first thing of a policy's match that the request does not meet.
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

/// Of `policies`, those that nearly cover the request, in order. It is to be called for a request
/// that none of them covers. A slip of a path is: a slash at its end, the case of letters, one
/// letter of one segment of four or more, or segments before it that are too many or missing. An
/// expression is only compared with and without a slash at the end.
/// Takes time in proportion to the policies.
std::vector<Missed> near_misses(const std::vector<Policy>& policies, const RequestView& request);

}  // namespace onceproxy::policies
