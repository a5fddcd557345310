// Methods that stand for a request's own: services behind proxies and forms that know only GET and
// POST take the method from X-HTTP-Method-Override, X-HTTP-Method or X-Method-Override, or from a
// field `_method` of the query or of a form. For policies with `match.method_override` alone.
// A form of type multipart/form-data is not read.
// Pure; thread-safe as long as each thread has its own Document.
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

/// The header fields that services read another method from, in lower case.
inline constexpr std::array<std::string_view, 3> method_override_fields{
    "x-http-method-override", "x-http-method", "x-method-override"};

/// The overriding methods in upper case, in order: of the header fields, each member of a list by
/// itself, of the query, of the form. Nothing when the body is a form whose coding cannot be
/// undone.
std::optional<std::vector<std::string>> overriding_methods(const RequestView& request,
                                                           Document& body);

/// Whether the head alone says that one of `methods` overrides the request's own.
bool head_overrides(const RequestView& request, const std::vector<std::string>& methods);

}  // namespace onceproxy::policies
