// The two parts of structured fields (RFC 9651) that a client key needs: strings and parameters.
// Pure.
#pragma once

#include <string>
#include <string_view>

namespace onceproxy::policies {

/// Reads a string (RFC 9651 4.2.5) from the front of `rest`, which begins with its quote. `text`
/// becomes a view of `rest`, or of `scratch` if it had escapes. Returns false if it is not valid.
bool take_sf_string(std::string_view& rest, std::string& scratch, std::string_view& text);

/// Reads parameters (RFC 9651 4.2.3.2) from the front of `rest` and checks their syntax; there may
/// be none. Returns false if they are malformed. The caller handles the text after them.
bool skip_sf_parameters(std::string_view& rest);

}  // namespace onceproxy::policies
