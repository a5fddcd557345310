// The two pieces of structured fields (RFC 9651) that a client key needs: strings and parameters.
// Pure.
#pragma once

#include <string>
#include <string_view>

namespace onceproxy::policies {

/// Reads a string (RFC 9651 4.2.5) off the front of `rest`, which begins with its quote. Its text
/// goes to `text`, which views `rest` or, where it had escapes, `scratch`. False when it is none.
bool take_sf_string(std::string_view& rest, std::string& scratch, std::string_view& text);

/// Reads parameters (RFC 9651 4.2.3.2) off the front of `rest` and checks their syntax; none is
/// good too. False when they are malformed; what follows them is the caller's business.
bool skip_sf_parameters(std::string_view& rest);

}  // namespace onceproxy::policies
