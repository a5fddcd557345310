// Path templates: `/v1/rides/{ride_id}/dispatch`, `/internal/**`. Segments of the normalised path
// are compared as they stand; a capture takes one segment that is not empty; a trailing rest takes
// whatever follows, nothing included. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "policies/policy.hpp"

namespace onceproxy::policies {

/// Cuts segments off a path in normal form, front to back. "/" has one segment, the empty one.
class Segments {
 public:
  explicit Segments(std::string_view path)
      : rest_(path), done_(path.empty() || path.front() != '/') {
    if (!done_) rest_.remove_prefix(1);
  }

  bool done() const { return done_; }

  /// Not to be called once done.
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

/// Reads a template as the configuration writes it. The error is a sentence for its author.
tl::expected<std::vector<PathSegment>, std::string> parse_path_template(std::string_view text);

/// What the policy's path template or expression captured under `name`, as it stands in `path`
/// (normal form, not decoded further); nothing when it captures no such name. Only for a path
/// that matches.
std::optional<std::string_view> captured(const Match& match, std::string_view path,
                                         std::string_view name);

}  // namespace onceproxy::policies
