// Names and values of application/x-www-form-urlencoded: form bodies and query strings. Read as
// the WHATWG URL standard (section 5.1) reads them: '+' is a space, '%' without two hexadecimal
// digits stands for itself. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace onceproxy::policies {

/// The values of every pair of that name, decoded, in order. A byte order mark at the front is
/// skipped.
std::vector<std::string> form_values(std::string_view text, std::string_view name);

}  // namespace onceproxy::policies
