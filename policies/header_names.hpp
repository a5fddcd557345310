// The header fields that a policy reads, through selectors and conditions. They must reach the
// service unchanged, because otherwise the service would get another request than the policy has
// decided about. Pure; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "policies/policy.hpp"

namespace onceproxy::policies {

/// Their names in lower case, without duplicates. Cookie, Content-Type and Content-Encoding, which
/// are read to find other fields, are not included. Allocates memory; not for every request.
std::vector<std::string> header_names(const Policy& policy);

}  // namespace onceproxy::policies
