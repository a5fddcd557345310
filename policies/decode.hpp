// Decodes base64 (RFC 4648). Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace onceproxy::policies {

/// The decoded bytes. Both alphabets (RFC 4648 sections 4 and 5) are accepted, with or without
/// padding, and white space between the characters, as in MIME. The error is the position, from 0,
/// of the first character that is not base64, or the size of the text if it is truncated.
tl::expected<std::string, std::size_t> decode_base64(std::string_view text);

}  // namespace onceproxy::policies
