#include "config/foreign_path.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace onceproxy::config {
namespace {

constexpr std::string_view one_segment = "[^/]+";

/// One segment, as it would stand in a template and in an expression.
struct Segment {
  /// Empty if a template cannot say it.
  std::string in_template;
  std::string in_expression;
  /// The syntax is another router's.
  bool foreign = false;
  /// It says what the segment must look like, which only an expression can.
  bool narrowed = false;
  bool rest = false;
};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The identifier that `text` begins with; empty when it begins with none.
std::string_view identifier(std::string_view text) {
  if (text.empty() || !is_letter(text.front())) return {};
  std::size_t end = 1;
  while (end < text.size() && (is_letter(text[end]) || is_digit(text[end]))) ++end;
  return text.substr(0, end);
}

bool is_identifier(std::string_view text) {
  return !text.empty() && identifier(text) == text;
}

/// As an expression has it that matches just this text.
std::string quoted(std::string_view text) {
  static constexpr std::string_view special = R"(.^$|()[]{}*+?\)";
  std::string out;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string group(std::string_view name, std::string_view pattern = one_segment) {
  return "(?P<" + std::string(name) + ">" + std::string(pattern) + ")";
}

Segment capture(std::string_view name, std::string_view pattern = {}) {
  const bool any = pattern.empty() || pattern == one_segment;
  return {"{" + std::string(name) + "}", any ? group(name) : group(name, pattern), true, !any,
          false};
}

Segment rest() {
  return {"**", ".*", true, false, true};
}

/// What follows a capture's colon: an expression, or the name of a type.
Segment typed_capture(std::string_view name, std::string_view type) {
  static constexpr std::array<std::string_view, 3> numbers{"int", "long", "integer"};
  if (type == "path") return rest();
  if (std::ranges::find(numbers, type) != numbers.end()) return capture(name, "[0-9]+");
  return is_identifier(type) ? capture(name) : capture(name, type);
}

/// `:id`, `:id?`, `:rest*`, `:id([0-9]+)`, `:id.json` (Express, Rails, Sinatra).
std::optional<Segment> with_colon(std::string_view text) {
  if (text.empty() || text.front() != ':') return std::nullopt;
  const std::string_view name = identifier(text.substr(1));
  if (name.empty()) return std::nullopt;
  const std::string_view after = text.substr(1 + name.size());
  if (after.empty() || after == "?") return capture(name);
  if (after == "*" || after == "+") return rest();
  if (after.front() == '(' && after.back() == ')') {
    return capture(name, after.substr(1, after.size() - 2));
  }
  return Segment{"", group(name) + quoted(after), true, true, false};
}

/// `<id>`, `<int:id>`, `<path:rest>` (Flask, Django).
std::optional<Segment> in_angles(std::string_view text) {
  if (text.size() < 3 || text.front() != '<' || text.back() != '>') return std::nullopt;
  const std::string_view inner = text.substr(1, text.size() - 2);
  const std::size_t colon = inner.find(':');
  if (colon == std::string_view::npos) {
    return is_identifier(inner) ? std::optional(capture(inner)) : std::nullopt;
  }
  const std::string_view name = inner.substr(colon + 1);
  return is_identifier(name) ? std::optional(typed_capture(name, inner.substr(0, colon)))
                             : std::nullopt;
}

/// `[id]`, `[...rest]`, `[[...rest]]` (Next.js).
std::optional<Segment> in_brackets(std::string_view text) {
  bool twice = text.size() > 4 && text.starts_with("[[") && text.ends_with("]]");
  if (twice) text = text.substr(1, text.size() - 2);
  if (text.size() < 3 || text.front() != '[' || text.back() != ']') return std::nullopt;
  std::string_view inner = text.substr(1, text.size() - 2);
  const bool all = inner.starts_with("...");
  if (all) inner.remove_prefix(3);
  if (!is_identifier(inner)) return std::nullopt;
  return all ? rest() : capture(inner);
}

/// `$id` (Remix, TanStack). `$batch` is a path of OData that clients really post to.
std::optional<Segment> with_dollar(std::string_view text) {
  if (text.empty() || text.front() != '$' || text == "$batch") return std::nullopt;
  const std::string_view name = text.substr(1);
  return is_identifier(name) ? std::optional(capture(name)) : std::nullopt;
}

/// `{id:[0-9]+}`, `{id:int}`, `{id?}`, `{*rest}`, `{rest...}`, `{{id}}` (JAX-RS, ASP.NET, Go); not
/// `{id}`, which is a capture here too.
std::optional<Segment> in_braces(std::string_view text) {
  if (text.size() < 3 || text.front() != '{' || text.back() != '}') return std::nullopt;
  std::string_view inner = text.substr(1, text.size() - 2);
  const std::string_view innermost = inner.size() > 2 ? inner.substr(1, inner.size() - 2) : "";
  if (inner.front() == '{' && inner.back() == '}' && is_identifier(innermost)) {
    return capture(innermost);
  }
  const bool all = inner.front() == '*' || inner.ends_with("...");
  if (all) return rest();
  const std::string_view name = identifier(inner);
  if (name.empty() || name == inner) return std::nullopt;
  const std::string_view after = inner.substr(name.size());
  if (after == "?") return capture(name);
  if (after.front() == ':') return typed_capture(name, after.substr(1));
  if (after.front() == '=') return after == "=**" ? rest() : capture(name);
  return std::nullopt;
}

/// `{id}.json`, `{a}-{b}`: captures beside text.
std::optional<Segment> mixed(std::string_view text) {
  std::string expression;
  bool any = false;
  while (!text.empty()) {
    const std::size_t open = text.find('{');
    const std::size_t close = open == std::string_view::npos ? open : text.find('}', open);
    if (close == std::string_view::npos) break;
    const std::string_view name = text.substr(open + 1, close - open - 1);
    if (!is_identifier(name)) return std::nullopt;
    expression += quoted(text.substr(0, open)) + group(name);
    text.remove_prefix(close + 1);
    any = true;
  }
  if (!any) return std::nullopt;
  return Segment{"", expression + quoted(text), true, true, false};
}

/// `(.+)`, `[0-9]+`, `.*`: no path holds these, an expression does.
bool looks_like_expression(std::string_view text) {
  static constexpr std::array<std::string_view, 8> signs{".*",   ".+", "(?",   "[^",
                                                         "[0-9", "\\", "[a-z", "[A-Z"};
  const bool grouped = text.size() > 2 && text.front() == '(' && text.back() == ')';
  return grouped || std::ranges::any_of(signs, [&](std::string_view sign) {
           return text.find(sign) != std::string_view::npos;
         });
}

Segment read_segment(std::string_view text) {
  for (const auto read : {with_colon, in_angles, in_brackets, with_dollar, in_braces}) {
    if (const auto found = read(text)) return *found;
  }
  const std::string written(text);
  if (text.size() > 2 && text.front() == '{' && text.back() == '}' &&
      is_identifier(text.substr(1, text.size() - 2))) {
    return {written, group(text.substr(1, text.size() - 2)), false, false, false};
  }
  if (const auto found = mixed(text)) return *found;
  if (text == "**") return {written, ".*", false, false, true};
  if (looks_like_expression(text)) return {"", written, true, true, false};
  return {written, quoted(text), false, false, false};
}

/// Cuts at slashes, but not within a pattern: `{id:[^/]+}` is one segment.
std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> out;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '(' || c == '[' || c == '{') ++depth;
    if ((c == ')' || c == ']' || c == '}') && depth > 0) --depth;
    if (c != '/' || depth > 0) continue;
    out.push_back(path.substr(begin, i - begin));
    begin = i + 1;
  }
  out.push_back(path.substr(begin));
  return out;
}

/// `?name=value` behind the path, if it is no router's mark of an optional segment.
std::size_t query_begin(std::string_view path) {
  const std::size_t mark = path.find('?');
  if (mark == std::string_view::npos) return mark;
  const std::string_view name = identifier(path.substr(mark + 1));
  const bool query = !name.empty() && path.substr(mark + 1 + name.size()).starts_with('=');
  return query ? mark : std::string_view::npos;
}

std::string query_advice(std::string_view path, std::size_t mark) {
  const std::string_view pair = path.substr(mark + 1, path.find('&', mark) - mark - 1);
  const std::size_t equals = pair.find('=');
  return "a path is compared without its query; write path: " + std::string(path.substr(0, mark)) +
         " and where: [{query: " + std::string(pair.substr(0, equals)) + ", equals: \"" +
         std::string(pair.substr(equals + 1)) + "\"}]";
}

/// A template and an expression that say the same; the template is empty if none can.
struct Spelling {
  std::string as_template;
  std::string as_expression;
  bool foreign = false;
  bool narrowed = false;
};

Spelling spelling_of(std::string_view path) {
  Spelling out;
  bool fits = true;
  const std::vector<std::string_view> segments = segments_of(path);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment segment = read_segment(segments[i]);
    out.foreign = out.foreign || segment.foreign;
    out.narrowed = out.narrowed || segment.narrowed;
    fits = fits && (!segment.in_template.empty() || segments[i].empty()) &&
           (!segment.rest || i + 1 == segments.size());
    out.as_template += (i > 0 ? "/" : "") + segment.in_template;
    out.as_expression += (i > 0 ? "/" : "") + segment.in_expression;
  }
  if (!fits) out.as_template.clear();
  return out;
}

std::string quoted_expression(const std::string& expression) {
  return "path_regex: '" + expression + "'";
}

}  // namespace

std::optional<std::string> foreign_path(std::string_view path) {
  if (const std::size_t scheme = path.find("://"); scheme != std::string_view::npos) {
    const std::size_t begin = path.find('/', scheme + 3);
    return "a path has no scheme and no host; did you mean path: " +
           std::string(begin == std::string_view::npos ? "/" : path.substr(begin)) + "?";
  }
  if (const std::size_t mark = query_begin(path); mark != std::string_view::npos) {
    return query_advice(path, mark);
  }
  const bool anchored = path.starts_with('^') || (path.size() > 1 && path.ends_with('$'));
  std::string_view bare = path;
  if (bare.starts_with('^')) bare.remove_prefix(1);
  if (anchored && bare.ends_with('$')) bare.remove_suffix(1);
  const Spelling spelling = spelling_of(bare);
  if (anchored) {
    return "it is a regular expression; did you mean " + quoted_expression(spelling.as_expression) +
           "? The whole path must match in any case";
  }
  if (!spelling.foreign || spelling.as_expression.find("''") != std::string::npos) return {};
  if (spelling.as_template.empty()) {
    return "a capture stands for a whole segment and takes no expression; did you mean " +
           quoted_expression(spelling.as_expression) + "?";
  }
  std::string out =
      "it is written as other routers write it; did you mean path: " + spelling.as_template;
  if (spelling.narrowed) out += ", or " + quoted_expression(spelling.as_expression);
  return out + "? For this very text write " + quoted_expression(quoted(path));
}

std::optional<std::string> template_in_expression(std::string_view expression) {
  for (std::size_t open = expression.find('{'); open != std::string_view::npos;
       open = expression.find('{', open + 1)) {
    const std::string_view name = identifier(expression.substr(open + 1));
    const bool escaped = open > 0 && expression[open - 1] == '\\';
    // \p{Greek} is a class of characters, \x{41} one of them.
    const bool classed = open > 1 && expression[open - 2] == '\\';
    if (name.empty() || escaped || classed) continue;
    if (!expression.substr(open + 1 + name.size()).starts_with('}')) continue;
    return "{" + std::string(name) + "} is only text to an expression; write " + group(name) +
           ", or a template under `path`. For this very text write \\{" + std::string(name) + "\\}";
  }
  return std::nullopt;
}

}  // namespace onceproxy::config
