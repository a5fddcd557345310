// Base64 (RFC 4648). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::backtest {

/// Section 4's alphabet or section 5's, padded or not. Nothing for anything else.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace onceproxy::backtest
