#include "config/match_reader.hpp"

#include <algorithm>

#include "config/condition_reader.hpp"
#include "config/foreign_path.hpp"
#include "config/header_names.hpp"
#include "config/method_names.hpp"
#include "config/scalars.hpp"
#include "config/selector_reader.hpp"
#include "policies/media_type.hpp"
#include "policies/path_template.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::config {
namespace {

using policies::HeaderCondition;
using policies::Match;
using policies::PathSegment;

Kind<std::vector<std::string>> methods() {
  auto kind = list("methods", method(), Empty::refused);
  kind.read = [any = kind.read](const Node& node) -> std::optional<std::vector<std::string>> {
    if (node.is_scalar()) {
      expected_list(node, "methods");
      return std::nullopt;
    }
    auto value = any(node);
    const std::vector<Node> items = node.items();
    for (std::size_t i = 0; i < items.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const std::string name = written_method(items[i]);
        if (!name.empty() && name == written_method(items[j])) {
          items[i].problem("`" + name + "` is listed twice");
          break;
        }
      }
    }
    return value;
  };
  return kind;
}

/// What no client sends as it stands: such characters are percent-encoded in a path (RFC 3986 3.3).
std::optional<std::string> wrong_characters(std::string_view path) {
  const bool ascii =
      std::all_of(path.begin(), path.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!ascii) return "characters outside ASCII must be percent-encoded";
  if (const std::size_t at = path.find_first_of("<>\"^`"); at != std::string_view::npos) {
    return std::string("clients percent-encode ") + path[at] +
           "; write it so, or a capture as {name}";
  }
  return std::nullopt;
}

Kind<std::vector<PathSegment>> path_template() {
  Kind<std::vector<PathSegment>> kind;
  const Kind<std::string> any = text("a path such as /v1/rides/{ride_id}");
  kind.read = [any](const Node& node) -> std::optional<std::vector<PathSegment>> {
    const auto written = any.read(node);
    if (!written) return std::nullopt;
    const auto foreign = foreign_path(*written);
    auto segments = policies::parse_path_template(*written);
    const auto wrong = wrong_characters(*written);
    if (!foreign && segments && !wrong) return *std::move(segments);
    node.problem(quote(*written) + " is not a path template: " +
                 (foreign    ? *foreign
                  : segments ? *wrong
                             : segments.error()));
    return std::nullopt;
  };
  kind.schema = [] { return JsonObject({{"type", "string"}}); };
  return kind;
}

/// The whole of a path can match only what begins with '/'.
bool never_matches_a_path(const re2::RE2& expression) {
  const re2::RE2 anchored("^(?:" + expression.pattern() + ")$", re2::RE2::Quiet);
  std::string min;
  std::string max;
  if (!anchored.ok() || !anchored.PossibleMatchRange(&min, &max, 8)) return false;
  return max < "/" || min >= "0";
}

Kind<policies::Regex> path_expression() {
  Kind<policies::Regex> kind = regex();
  kind.read = [any = kind.read](const Node& node) {
    auto value = any(node);
    if (value && never_matches_a_path(**value)) {
      node.problem(quote(node.text()) +
                   " matches no path: the whole path must match, and it "
                   "begins with /");
    } else if (const auto foreign = value ? template_in_expression(node.text()) : std::nullopt) {
      node.problem(quote(node.text()) + " matches no path: " + *foreign);
    }
    return value;
  };
  return kind;
}

struct HeaderDraft {
  policies::Regex regex;
  std::optional<bool> present;
};

Kind<HeaderDraft> header_test() {
  return section<HeaderDraft>(
      {"a header condition",
       {key<HeaderDraft>("regex", &HeaderDraft::regex, regex(),
                         "An expression (RE2) that the whole value of the field must match."),
        key<HeaderDraft>(
            "present", &HeaderDraft::present, flag(),
            "true: the field must be present, with any value. false: it must be absent.")}},
      [](const Node& node, const HeaderDraft&) {
        if (node.entries().size() != 1) {
          node.problem("a header condition is a value, {regex: …} or {present: true | false}");
        }
      });
}

/// The words that people write for a media type.
std::string media_type_meant(std::string_view word) {
  if (word == "json" || word == "xml") return "application/" + std::string(word);
  if (word == "form" || word == "urlencoded") return "application/x-www-form-urlencoded";
  if (word == "multipart") return "multipart/form-data";
  if (word == "text" || word == "plain") return "text/plain";
  return "";
}

std::optional<policies::MediaType> media_type(const Node& node, std::string_view written) {
  auto type = policies::parse_media_type(written);
  const bool any = type && type->name.find('*') != std::string::npos;
  if (type && !any) return type;
  const std::string meant = media_type_meant(written);
  std::string message = quote(written) + " is not a media type such as application/json";
  if (any) message += ", which has no *; write {regex: …}";
  if (!meant.empty()) message += "; did you mean \"" + meant + "\"?";
  node.problem(std::move(message));
  return std::nullopt;
}

std::optional<HeaderCondition> read_header(const Node::Entry& entry, const Kind<HeaderDraft>& test,
                                           const Kind<std::string>& exact) {
  if (const auto wrong = wrong_request_field(entry.key)) {
    entry.key_problem(quote(entry.key) + " " + *wrong);
    return std::nullopt;
  }
  HeaderCondition condition;
  condition.name = entry.key;
  if (!entry.value.is_map()) {
    auto value = exact.read(entry.value);
    if (!value) return std::nullopt;
    if (!policies::equals_ignoring_case(entry.key, "content-type")) {
      condition.is = *std::move(value);
      return condition;
    }
    auto type = media_type(entry.value, *value);
    if (!type) return std::nullopt;
    condition.is = *std::move(type);
    return condition;
  }
  const auto value = test.read(entry.value);
  if (!value) return std::nullopt;
  if (value->regex) {
    condition.is = value->regex;
  } else {
    condition.is = HeaderCondition::Present{value->present.value_or(true)};
  }
  return condition;
}

Kind<std::vector<HeaderCondition>> headers() {
  const Kind<HeaderDraft> test = header_test();
  const Kind<std::string> exact =
      text("a value, {regex: …} or {present: true | false}",
           [](std::string_view value) -> std::optional<std::string> {
             const bool spaced = !value.empty() && (value.front() == ' ' || value.back() == ' ');
             if (spaced) return "never matches: a field's value has no space around it";
             return std::nullopt;
           });
  Kind<std::vector<HeaderCondition>> kind;
  kind.names = test.names;
  kind.read = [test, exact](const Node& node) -> std::optional<std::vector<HeaderCondition>> {
    if (!node.is_map()) {
      node.expected("a map from header names to conditions");
      return std::nullopt;
    }
    std::vector<HeaderCondition> out;
    for (const Node::Entry& entry : node.entries()) {
      for (const HeaderCondition& other : out) {
        if (policies::equals_ignoring_case(other.name, entry.key)) {
          entry.key_problem("`" + other.name + "` and `" + entry.key + "` are one header");
        }
      }
      if (auto condition = read_header(entry, test, exact)) out.push_back(*std::move(condition));
    }
    return out;
  };
  kind.schema = [test, exact] {
    return JsonObject({{"type", "object"},
                       {"additionalProperties",
                        JsonObject({{"anyOf", JsonArray({exact.schema(), test.schema()})}})}});
  };
  return kind;
}

struct MatchDraft {
  Match match = default_match();
};

}  // namespace

Match default_match() {
  Match match;
  match.methods = {"POST", "PUT", "PATCH", "DELETE"};
  return match;
}

Kind<Match> match() {
  // A section starts from a fresh owner, and a fresh Match covers every method.
  const auto in = [](auto Match::*member) {
    return [member](MatchDraft & draft) -> auto& {
      return draft.match.*member;
    };
  };
  const Kind<MatchDraft> draft = section<MatchDraft>(
      {"match",
       {key<MatchDraft>("methods", in(&Match::methods), methods(),
                        "The methods covered, in upper case; {unregistered: NAME} for one that is "
                        "not in IANA's registry."),
        key<MatchDraft>("method_override", in(&Match::method_override), flag(),
                        "Whether a request is also covered if its overriding method is listed: "
                        "that of X-HTTP-Method-Override, X-HTTP-Method or X-Method-Override, or of "
                        "_method in the query or in an application/x-www-form-urlencoded body."),
        key<MatchDraft>("path", in(&Match::path), path_template(),
                        "The paths covered: /v1/rides/{ride_id}/dispatch; {name} captures one "
                        "segment, a trailing /** matches any rest. Default: every path. Paths "
                        "are compared in normal form (RFC 3986 6.2.2)."),
        key<MatchDraft>("path_regex", in(&Match::path_regex), path_expression(),
                        "Instead of path: an expression (RE2) that the whole path must match; "
                        "(?P<name>…) captures."),
        key<MatchDraft>("headers", in(&Match::headers), headers(),
                        "Header fields that must be there: an exact value, {regex: …} or "
                        "{present: true}; {present: false} for one that must not be. The value of "
                        "content-type is a media type: case and parameters that are not given do "
                        "not count."),
        key<MatchDraft>("where", in(&Match::where), conditions(),
                        "Conditions on selected fields; all must hold.")},
       {},
       {},
       "path"},
      [](const Node& node, MatchDraft& value) {
        value.match.has_path = !value.match.path.empty();
        const auto expression = node.get("path_regex");
        if (expression && node.get("path")) {
          expression->problem("`path` and `path_regex` cannot both be given; leave one out");
        }
      });
  Kind<Match> kind;
  kind.names = draft.names;
  kind.schema = draft.schema;
  kind.read = [draft](const Node& node) -> std::optional<Match> {
    auto value = draft.read(node);
    if (!value) return std::nullopt;
    return std::move(value->match);
  };
  return kind;
}

std::set<std::string> captures_of(const Match& match) {
  std::set<std::string> names;
  for (const PathSegment& segment : match.path) {
    if (segment.kind == PathSegment::Kind::capture) names.insert(segment.text);
  }
  if (match.path_regex) {
    for (const auto& [name, group] : match.path_regex->NamedCapturingGroups()) names.insert(name);
  }
  return names;
}

}  // namespace onceproxy::config
