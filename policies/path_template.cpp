#include "policies/path_template.hpp"

#include "policies/ascii.hpp"
#include "policies/path.hpp"

namespace onceproxy::policies {
namespace {

using Parsed = tl::expected<PathSegment, std::string>;

Parsed fail(std::string message) {
  return tl::unexpected(std::move(message));
}

bool is_capture_name(std::string_view name) {
  if (name.empty() || is_digit(name.front())) return false;
  for (const char c : name) {
    if (!is_alpha(c) && !is_digit(c) && c != '_') return false;
  }
  return true;
}

Parsed parse_capture(std::string_view segment) {
  if (segment.front() != '{' || segment.back() != '}') {
    return fail("a capture takes a whole segment: /{name}/");
  }
  const std::string_view name = segment.substr(1, segment.size() - 2);
  if (!is_capture_name(name)) {
    return fail("a capture's name is letters, digits and _, and does not begin with a digit");
  }
  return PathSegment{PathSegment::Kind::capture, std::string(name)};
}

Parsed parse_segment(std::string_view segment) {
  if (segment == "**") return PathSegment{PathSegment::Kind::rest, {}};
  if (segment.find_first_of("{}") != std::string_view::npos) return parse_capture(segment);
  if (segment.find('*') != std::string_view::npos) {
    return fail("* stands for nothing here; use {name} for one segment or a trailing /**");
  }
  std::string scratch;
  const std::string path = "/" + std::string(segment);
  const auto normal = normalize_path(path, scratch);
  if (!normal) {
    return fail(normal.error() == PathError::bad_encoding
                    ? "% without two hexadecimal digits"
                    : "an encoded slash, backslash or NUL never reaches a policy");
  }
  if (!segment.empty() && *normal == "/") {
    return fail("dot segments are removed before paths are matched");
  }
  return PathSegment{PathSegment::Kind::literal, std::string(normal->substr(1))};
}

}  // namespace

tl::expected<std::vector<PathSegment>, std::string> parse_path_template(std::string_view text) {
  if (text.empty() || text.front() != '/') {
    return tl::unexpected(std::string("a path begins with /"));
  }
  if (text.find_first_of("?#\\ ") != std::string_view::npos) {
    return tl::unexpected(std::string("a path holds no ?, #, backslash or space"));
  }
  std::vector<PathSegment> segments;
  for (Segments rest(text); !rest.done();) {
    const std::string_view written = rest.next();
    if (written.empty() && !rest.done()) {
      return tl::unexpected(std::string("repeated slashes are merged before paths are matched"));
    }
    auto segment = parse_segment(written);
    if (!segment) return tl::unexpected(std::move(segment.error()));
    if (segment->kind == PathSegment::Kind::rest && !rest.done()) {
      return tl::unexpected(std::string("/** stands only at the end"));
    }
    for (const PathSegment& other : segments) {
      if (segment->kind == PathSegment::Kind::capture && other.kind == segment->kind &&
          other.text == segment->text) {
        return tl::unexpected("{" + segment->text + "} is captured twice");
      }
    }
    segments.push_back(std::move(*segment));
  }
  return segments;
}

namespace {

std::optional<std::string_view> captured_by_expression(const re2::RE2& expression,
                                                       std::string_view path,
                                                       std::string_view name) {
  const auto& groups = expression.NamedCapturingGroups();
  const auto group = groups.find(std::string(name));
  if (group == groups.end()) return std::nullopt;
  std::vector<re2::StringPiece> found(static_cast<std::size_t>(group->second) + 1);
  if (!expression.Match(re2::StringPiece(path.data(), path.size()), 0, path.size(),
                        re2::RE2::ANCHOR_BOTH, found.data(), static_cast<int>(found.size()))) {
    return std::nullopt;
  }
  // A group that took no part (an alternative not taken) has no data; one that matched nothing has.
  const re2::StringPiece& value = found.back();
  if (value.data() == nullptr) return std::nullopt;
  return std::string_view(value.data(), value.size());
}

}  // namespace

std::optional<std::string_view> captured(const Match& match, std::string_view path,
                                         std::string_view name) {
  if (match.path_regex) return captured_by_expression(*match.path_regex, path, name);
  Segments segments(path);
  for (const PathSegment& segment : match.path) {
    if (segments.done()) return std::nullopt;
    const std::string_view value = segments.next();
    if (segment.kind == PathSegment::Kind::capture && segment.text == name) return value;
  }
  return std::nullopt;
}

}  // namespace onceproxy::policies
