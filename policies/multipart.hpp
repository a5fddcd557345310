// multipart/form-data (RFC 7578, and RFC 2046 5.1 for its frame): the parts of a form with files.
// Read strictly, so that no two readers see different parts in a body that is taken: every line
// that begins with the boundary must be a delimiter as RFC 2046 writes it, nothing stands before
// the first or behind the last, each part has a name. Anything else is not read at all. Pure. Parts
// view the body that they were read from.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "policies/fault.hpp"

namespace onceproxy::policies {

struct Part {
  /// Of Content-Disposition; quotes and their escapes undone, nothing else.
  std::string name;
  std::optional<std::string> filename;
  /// `filename*`, which RFC 7578 forbids and some clients send, as it is written.
  std::optional<std::string> extended_filename;
  /// As written; absent: the part has no such field.
  std::optional<std::string_view> content_type;
  std::optional<std::string_view> transfer_encoding;
  std::string_view content;
};

/// The parts in order; bounded by the body. `content_type` is the request's, which names the
/// boundary (1 to 70 characters).
tl::expected<std::vector<Part>, Fault> read_multipart(std::string_view body,
                                                      std::string_view content_type);

/// Appends what the parts are compared by: of each, in order, one line of canonical JSON with its
/// name, what it has of filename, content type and transfer encoding, and its size; then its bytes
/// and a line feed. No two lists of parts yield the same bytes, whatever boundary was between them.
void append_parts(const std::vector<Part>& parts, std::string& out);

}  // namespace onceproxy::policies
