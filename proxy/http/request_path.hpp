// Brings the path of a request into normal form, or returns the reason why it is refused: a path
// with an encoded delimiter could bypass a policy. Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/grammar/head.hpp"

namespace onceproxy::http {

/// `path` is a view of the head's path, or of `memory` if the path is not in normal form.
std::optional<BadHead> read_path(const RequestHead& head, bool pass_encoded_slashes,
                                 std::string& memory, std::string_view& path);

}  // namespace onceproxy::http
