#include "proxy/http/request_path.hpp"

#include "policies/path.hpp"

namespace onceproxy::http {

std::optional<BadHead> read_path(const RequestHead& head, bool pass_encoded_slashes,
                                 std::string& memory, std::string_view& path) {
  path = head.path;
  if (head.path == "*") return std::nullopt;
  const auto normal = policies::normalize_path(head.path, memory, pass_encoded_slashes);
  if (normal) {
    path = *normal;
    return std::nullopt;
  }
  switch (normal.error()) {
    case policies::PathError::not_absolute:
      return BadHead{400, "target", "The path does not begin with a slash."};
    case policies::PathError::bad_encoding:
      return BadHead{400, "target", "The path holds a percent sign without two digits."};
    case policies::PathError::encoded_delimiter:
      break;
  }
  return BadHead{400, "encoded-delimiter",
                 "The path holds an encoded slash, backslash or NUL; limits.encoded_slashes: pass "
                 "allows slashes and backslashes."};
}

}  // namespace onceproxy::http
