#include "policies/near_miss.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>

#include "policies/ascii.hpp"
#include "policies/conditions.hpp"
#include "policies/path_template.hpp"

namespace onceproxy::policies {
namespace {

enum class Likeness { same, near, other };

/// Methods that only read (RFC 9110 9.2.1, RFC 3253, 4918, 5323): if others are protected, they
/// are left out on purpose.
bool only_reads(std::string_view method) {
  static constexpr std::array<std::string_view, 8> names{"GET",   "HEAD",     "OPTIONS", "TRACE",
                                                         "QUERY", "PROPFIND", "REPORT",  "SEARCH"};
  return std::ranges::find(names, method) != names.end();
}

/// Whether the two differ by one letter that is other, missing or too many.
bool one_letter_apart(std::string_view a, std::string_view b) {
  constexpr std::size_t length_min = 4;
  if (a.size() > b.size()) std::swap(a, b);
  if (a.size() < length_min || b.size() - a.size() > 1) return false;
  const auto differ = std::ranges::mismatch(a, b);
  const auto same_length = a.size() == b.size() ? 1 : 0;
  return std::equal(differ.in1 + (differ.in1 == a.end() ? 0 : same_length), a.end(),
                    differ.in2 + (differ.in2 == b.end() ? 0 : 1), b.end());
}

Likeness compare(const PathSegment& asked, std::string_view given) {
  if (asked.kind == PathSegment::Kind::capture) {
    return given.empty() ? Likeness::other : Likeness::same;
  }
  if (asked.text == given) return Likeness::same;
  const bool near = equals_ignoring_case(asked.text, given) || one_letter_apart(asked.text, given);
  return near ? Likeness::near : Likeness::other;
}

/// Segments of the same number, one for one; at most one may be near.
Likeness compare(std::span<const PathSegment> asked, std::span<const std::string_view> given) {
  Likeness all = Likeness::same;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const Likeness one = compare(asked[i], given[i]);
    if (one == Likeness::other || (one == Likeness::near && all == Likeness::near)) {
      return Likeness::other;
    }
    if (one == Likeness::near) all = one;
  }
  return all;
}

bool has_literal(std::span<const PathSegment> segments) {
  return std::ranges::any_of(segments, [](const PathSegment& segment) {
    return segment.kind == PathSegment::Kind::literal && !segment.text.empty();
  });
}

/// Whether the shorter of the two is the end of the longer: a prefix was added or taken away on the
/// way. What is left must say more than "anything".
bool ends_alike(std::span<const PathSegment> asked, std::span<const std::string_view> given) {
  const std::size_t length = std::min(asked.size(), given.size());
  const auto end = asked.last(length);
  return has_literal(end) && compare(end, given.last(length)) == Likeness::same;
}

Likeness compare_template(std::span<const PathSegment> asked, std::string_view path) {
  std::vector<std::string_view> parts;
  for (Segments rest(path); !rest.done();) parts.push_back(rest.next());
  std::span<const std::string_view> given = parts;
  if (!asked.empty() && asked.back().kind == PathSegment::Kind::rest) {
    asked = asked.first(asked.size() - 1);
    if (given.size() < asked.size()) return Likeness::other;
    return compare(asked, given.first(asked.size()));
  }
  if (asked.size() == given.size()) {
    const Likeness found = compare(asked, given);
    if (found != Likeness::other) return found;
  }
  // A slash at the end is an empty segment.
  const bool asked_slash = !asked.empty() && asked.back().text.empty() &&
                           asked.back().kind == PathSegment::Kind::literal;
  if (asked_slash) asked = asked.first(asked.size() - 1);
  if (!given.empty() && given.back().empty()) given = given.first(given.size() - 1);
  if (asked.empty() || given.empty()) return Likeness::other;
  const bool near = asked.size() == given.size() ? compare(asked, given) == Likeness::same
                                                 : ends_alike(asked, given);
  return near ? Likeness::near : Likeness::other;
}

bool matches(const re2::RE2& expression, std::string_view path) {
  return re2::RE2::FullMatch(re2::StringPiece(path.data(), path.size()), expression);
}

Likeness compare_path(const Match& match, std::string_view path) {
  if (match.has_path) return compare_template(match.path, path);
  if (!match.path_regex) return Likeness::same;
  if (matches(*match.path_regex, path)) return Likeness::same;
  const bool slash = path.size() > 1 && path.back() == '/';
  const std::string other =
      slash ? std::string(path.substr(0, path.size() - 1)) : std::string(path) + "/";
  return matches(*match.path_regex, other) ? Likeness::near : Likeness::other;
}

std::optional<NearMiss> near_miss(const Match& match, const RequestView& request) {
  const auto& methods = match.methods;
  const bool listed =
      methods.empty() || std::ranges::find(methods, request.method) != methods.end();
  if (!listed && only_reads(request.method)) return std::nullopt;
  const Likeness path = compare_path(match, request.path);
  if (path == Likeness::other || (path == Likeness::near && !listed)) return std::nullopt;
  if (path == Likeness::near) return NearMiss::path;
  if (!listed) return NearMiss::method;
  const bool headers = std::ranges::all_of(
      match.headers, [&](const HeaderCondition& condition) { return holds(condition, request); });
  return headers ? NearMiss::condition : NearMiss::header;
}

}  // namespace

std::vector<Missed> near_misses(const std::vector<Policy>& policies, const RequestView& request) {
  std::vector<Missed> out;
  for (const Policy& policy : policies) {
    if (const auto what = near_miss(policy.match, request)) out.push_back({&policy, *what});
  }
  return out;
}

}  // namespace onceproxy::policies
