// Encodes bytes as base64 (RFC 4648 4), with padding. policies/decode.hpp reads it. Pure.
// Thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace onceproxy::store {

void append_base64(std::string& out, std::string_view bytes);
std::string base64(std::string_view bytes);

}  // namespace onceproxy::store
