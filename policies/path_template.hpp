// Path templates: `/v1/rides/{ride_id}/dispatch`, `/internal/**`. Segments of the normalised path
// are compared exactly; a capture matches one segment that is not empty; a rest at the end matches
// any remaining segments or none. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "policies/policy.hpp"

namespace onceproxy::policies {

/// Splits a path in normal form into segments, from front to back. "/" has one, empty segment.
class Segments {
 public:
  explicit Segments(std::string_view path)
      : rest_(path), done_(path.empty() || path.front() != '/') {
    if (!done_) rest_.remove_prefix(1);
  }

  bool done() const { return done_; }

  /// Must not be called at the end.
  std::string_view next() {
    const std::size_t slash = rest_.find('/');
    const std::string_view segment = rest_.substr(0, slash);
    done_ = slash == std::string_view::npos;
    if (!done_) rest_.remove_prefix(slash + 1);
    return segment;
  }

 private:
  std::string_view rest_;
  bool done_;
};

/// Reads a template of the configuration. The error is a sentence for its author.
tl::expected<std::vector<PathSegment>, std::string> parse_path_template(std::string_view text);

/// The capture `name` of the policy's path template or expression, unchanged from `path` (normal
/// form, not decoded further); nothing if there is no such capture. Only for a path that matches.
std::optional<std::string_view> captured(const Match& match, std::string_view path,
                                         std::string_view name);

}  // namespace onceproxy::policies
