#include <algorithm>

#include "config/match_reader.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::config {
namespace {

using policies::Condition;
using policies::HeaderCondition;
using policies::Match;
using policies::PathSegment;
using policies::Selector;

bool same_regex(const policies::Regex& a, const policies::Regex& b) {
  return (!a && !b) || (a && b && a->pattern() == b->pattern());
}

bool same(const HeaderCondition& a, const HeaderCondition& b) {
  if (!policies::equals_ignoring_case(a.name, b.name)) return false;
  using Present = HeaderCondition::Present;
  const auto* asked = std::get_if<Present>(&a.is);
  const auto* given = std::get_if<Present>(&b.is);
  // A value of any kind is there.
  if (asked != nullptr) return asked->there == (given == nullptr || given->there);
  if (a.is.index() != b.is.index()) return false;
  if (const auto* text = std::get_if<std::string>(&a.is)) return *text == std::get<0>(b.is);
  if (const auto* type = std::get_if<policies::MediaType>(&a.is)) {
    const auto& other = std::get<policies::MediaType>(b.is);
    // A media type with fewer parameters covers more.
    return type->name == other.name && policies::has_parameters(other, *type);
  }
  return same_regex(std::get<policies::Regex>(a.is), std::get<policies::Regex>(b.is));
}

bool same(const Selector& a, const Selector& b) {
  const auto facts = [](const Selector& s) {
    return std::tie(s.source, s.name, s.except, s.take, s.decode, s.json, s.lower, s.trim, s.sort,
                    s.round, s.default_value);
  };
  if (facts(a) != facts(b) || !same_regex(a.capture, b.capture)) return false;
  if (!a.otherwise != !b.otherwise) return false;
  return !a.otherwise || same(*a.otherwise, *b.otherwise);
}

bool same(const Condition& a, const Condition& b) {
  return same(a.selector, b.selector) && a.any_of == b.any_of && same_regex(a.regex, b.regex) &&
         a.present == b.present;
}

/// Whether each of `asked` is among `given`: more conditions cover less.
template <typename T>
bool all_among(const std::vector<T>& asked, const std::vector<T>& given) {
  return std::all_of(asked.begin(), asked.end(), [&](const T& one) {
    return std::any_of(given.begin(), given.end(),
                       [&](const T& other) { return same(one, other); });
  });
}

bool covers_path(const std::vector<PathSegment>& earlier, const std::vector<PathSegment>& later) {
  for (std::size_t i = 0; i < earlier.size(); ++i) {
    if (earlier[i].kind == PathSegment::Kind::rest) return true;
    if (i >= later.size() || later[i].kind == PathSegment::Kind::rest) return false;
    const bool literal = earlier[i].kind == PathSegment::Kind::literal;
    if (literal && (later[i].kind != earlier[i].kind || later[i].text != earlier[i].text)) {
      return false;
    }
    // A capture takes no empty segment.
    if (!literal && later[i].kind == PathSegment::Kind::literal && later[i].text.empty()) {
      return false;
    }
  }
  return earlier.size() == later.size();
}

}  // namespace

bool covers(const std::vector<Condition>& earlier, const std::vector<Condition>& later) {
  return all_among(earlier, later);
}

bool covers(const Match& earlier, const Match& later) {
  const bool methods =
      earlier.methods.empty() ||
      (!later.methods.empty() &&
       std::all_of(later.methods.begin(), later.methods.end(),
                   [&](const std::string& method) {
                     return std::find(earlier.methods.begin(), earlier.methods.end(), method) !=
                            earlier.methods.end();
                   }) &&
       (earlier.method_override || !later.method_override));
  const bool any_path = !earlier.has_path && !earlier.path_regex;
  const bool path = any_path ||
                    (earlier.path_regex && same_regex(earlier.path_regex, later.path_regex)) ||
                    (earlier.has_path && later.has_path && covers_path(earlier.path, later.path));
  return methods && path && all_among(earlier.headers, later.headers) &&
         covers(earlier.where, later.where);
}

}  // namespace onceproxy::config
