// Which header fields a policy reads: through selectors, wherever they stand, and through
// conditions. Whoever carries a request on must neither drop nor change one of them, or the service
// gets another request than the policy decided about.
// Pure; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "policies/policy.hpp"

namespace onceproxy::policies {

/// Their names in lower case, each once. Cookie, Content-Type and Content-Encoding, which are read
/// to find other fields, are not among them. Allocates; not for every request.
std::vector<std::string> header_names(const Policy& policy);

}  // namespace onceproxy::policies
