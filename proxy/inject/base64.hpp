// Base64 as in Kubernetes' JSON (RFC 4648, section 4, padded). Pure.
#pragma once

#include <string>
#include <string_view>

namespace onceproxy::inject {

std::string encode_base64(std::string_view bytes);

}  // namespace onceproxy::inject
