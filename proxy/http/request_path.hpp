// The path of a request in normal form, or why it is refused: an encoded delimiter would let a
// spelling of a path walk round a policy.
// Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/grammar/head.hpp"

namespace onceproxy::http {

/// `path` views the head's path, or `memory` where that is not in normal form.
std::optional<BadHead> read_path(const RequestHead& head, bool pass_encoded_slashes,
                                 std::string& memory, std::string_view& path);

}  // namespace onceproxy::http
