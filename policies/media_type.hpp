// What a request says that its body is: Content-Type (RFC 9110 8.3). Where the field is repeated,
// it is unknown which one the service reads, so each counts.
// Pure; thread-safe.
#pragma once

#include "policies/request_view.hpp"

namespace onceproxy::policies {

/// application/x-www-form-urlencoded.
bool says_form(const RequestView& request);

/// application/json, text/json, or a type that ends in +json (RFC 6839 3.1).
bool says_json(const RequestView& request);

}  // namespace onceproxy::policies
