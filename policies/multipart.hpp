// multipart/form-data (RFC 7578, and RFC 2046 5.1 for its framing): the parts of a form with files.
// It is read strictly, so that two parsers cannot see different parts in an accepted body: every
// line that begins with the boundary must be a delimiter as in RFC 2046, nothing may precede the
// first or follow the last, and each part has a name. Anything else is refused as a whole. Pure.
// Parts are views of the body.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "policies/fault.hpp"

namespace onceproxy::policies {

struct Part {
  /// From Content-Disposition; only quotes and their escapes are decoded.
  std::string name;
  std::optional<std::string> filename;
  /// `filename*`, which RFC 7578 forbids and some clients send, unchanged.
  std::optional<std::string> extended_filename;
  /// Unchanged; absent if the part has no such field.
  std::optional<std::string_view> content_type;
  std::optional<std::string_view> transfer_encoding;
  std::string_view content;
};

/// The parts in order. `content_type`: of the request, with the boundary (1 to 70 characters).
tl::expected<std::vector<Part>, Fault> read_multipart(std::string_view body,
                                                      std::string_view content_type);

/// Appends the canonical form of the parts: for each part, in order, one line of canonical JSON
/// with its name, its filename, content type and transfer encoding (if it has them) and its size,
/// followed by its bytes and a line feed. Two different lists of parts never yield the same bytes,
/// and the boundary has no effect.
void append_parts(const std::vector<Part>& parts, std::string& out);

}  // namespace onceproxy::policies
