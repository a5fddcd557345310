#include "policies/path.hpp"

#include "policies/percent.hpp"

namespace onceproxy::policies {
namespace {

/// Nothing to decode, to merge or to remove.
bool is_normal(std::string_view path) {
  char before = '\0';
  for (const char c : path) {
    if (c == '%' || (before == '/' && (c == '/' || c == '.'))) return false;
    before = c;
  }
  return true;
}

/// Ends the segment that `out` holds after its last slash: "." vanishes, ".." takes the one before
/// it along. What is left ends with a slash (RFC 3986 5.2.4).
void end_segment(std::string& out) {
  const std::size_t slash = out.rfind('/');
  const std::string_view segment = std::string_view(out).substr(slash + 1);
  if (segment == ".") {
    out.resize(slash + 1);
  } else if (segment == "..") {
    out.resize(slash == 0 ? 1 : out.rfind('/', slash - 1) + 1);
  }
}

}  // namespace

tl::expected<std::string_view, PathError> normalize_path(std::string_view path,
                                                         std::string& scratch,
                                                         bool pass_encoded_slashes) {
  if (path.empty() || path.front() != '/') return tl::unexpected(PathError::not_absolute);
  if (is_normal(path)) return path;

  scratch.clear();
  scratch.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '/') {
      if (!scratch.empty()) end_segment(scratch);
      if (scratch.empty() || scratch.back() != '/') scratch += '/';
      continue;
    }
    if (c != '%') {
      scratch += c;
      continue;
    }
    const int byte = percent_byte(path.substr(i));
    if (byte < 0) return tl::unexpected(PathError::bad_encoding);
    i += 2;
    const char decoded = static_cast<char>(byte);
    const bool delimiter = decoded == '/' || decoded == '\\';
    if (decoded == '\0' || (delimiter && !pass_encoded_slashes)) {
      return tl::unexpected(PathError::encoded_delimiter);
    }
    if (is_unreserved(decoded)) {
      scratch += decoded;
    } else {
      append_percent(decoded, scratch);
    }
  }
  end_segment(scratch);
  return std::string_view(scratch);
}

}  // namespace onceproxy::policies
