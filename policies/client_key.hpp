// Reads the key that a client made, from the Idempotency-Key field of the IETF draft
// (draft-ietf-httpapi-idempotency-key-header): a string of RFC 9651 or, as most clients send it,
// the bare key. Both spellings mean the same key. Pure.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace onceproxy::policies {

inline constexpr std::size_t client_key_size_max = 255;

/// Reads one field value. The key, 1 to client_key_size_max characters, is a view of `value`, or of
/// `scratch` if it had escapes. The error is a sentence that does not contain the key.
tl::expected<std::string_view, std::string_view> parse_client_key(std::string_view value,
                                                                  std::string& scratch);

}  // namespace onceproxy::policies
