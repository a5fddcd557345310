// base64 (RFC 4648) undone. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace onceproxy::policies {

/// The bytes that base64 text stands for. Takes both alphabets (RFC 4648 sections 4 and 5), with
/// padding or without, and white space between the characters, as MIME has it. The error is the
/// place, counted from 0, at which the text stops being base64; its size where it is cut off.
tl::expected<std::string, std::size_t> decode_base64(std::string_view text);

}  // namespace onceproxy::policies
