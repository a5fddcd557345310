// Methods that override a request's own. Services behind proxies and forms that support only GET
// and POST read the method from X-HTTP-Method-Override, X-HTTP-Method or X-Method-Override, or from
// a field `_method` in the query or in a form. Only for policies with `match.method_override`. A
// form of type multipart/form-data is not read. Pure; thread-safe as long as each thread has its
// own Document.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policies/document.hpp"
#include "policies/policy.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::policies {

/// The header fields from which services read another method, in lower case.
inline constexpr std::array<std::string_view, 3> method_override_fields{
    "x-http-method-override", "x-http-method", "x-method-override"};

/// The overriding methods in upper case, in order: each element of the header fields, then of the
/// query, then of the form. Nothing if the body is a form whose coding cannot be decoded.
std::optional<std::vector<std::string>> overriding_methods(const RequestView& request,
                                                           Document& body);

/// Whether one of `methods` overrides the request's own according to the head.
bool head_overrides(const RequestView& request, const std::vector<std::string>& methods);

}  // namespace onceproxy::policies
