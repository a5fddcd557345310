// Cookies of a request (RFC 6265 section 4.2.1). Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policies/request_view.hpp"

namespace onceproxy::policies {

/// The unchanged values of every cookie with that name, in order, over all Cookie fields. Names are
/// compared with their case; quotes around a value are part of it.
std::vector<std::string> cookie_values(std::span<const Field> headers, std::string_view name);

}  // namespace onceproxy::policies
