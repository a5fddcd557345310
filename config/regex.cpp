#include "config/scalars.hpp"
#include "config/selector_reader.hpp"

namespace onceproxy::config {

namespace {

/// What an expression of another kind has that RE2 lacks, for the end of a message.
std::string foreign_expression(std::string_view expression) {
  for (const std::string_view look : {"(?=", "(?!", "(?<=", "(?<!"}) {
    if (expression.find(look) != std::string_view::npos) {
      return "; RE2 has no look-ahead and no look-behind";
    }
  }
  if (expression.find("(?<") != std::string_view::npos) {
    return "; RE2 writes a named group (?P<name>…)";
  }
  const std::size_t escape = expression.find('\\');
  const bool digit = escape != std::string_view::npos && escape + 1 < expression.size() &&
                     expression[escape + 1] >= '1' && expression[escape + 1] <= '9';
  return digit ? "; RE2 has no back-references" : "";
}

}  // namespace

Kind<policies::Regex> regex() {
  Kind<policies::Regex> kind;
  const Kind<std::string> any = text("a regular expression (RE2)");
  kind.read = [any](const Node& node) -> std::optional<policies::Regex> {
    const auto expression = any.read(node);
    if (!expression) return std::nullopt;
    re2::RE2::Options options;
    options.set_log_errors(false);
    auto compiled = std::make_shared<const re2::RE2>(*expression, options);
    if (compiled->ok()) return compiled;
    node.problem(quote(*expression) + " is not a valid regular expression (RE2): " +
                 compiled->error() + foreign_expression(*expression));
    return std::nullopt;
  };
  kind.schema = [] { return JsonObject({{"type", "string"}, {"format", "regex"}}); };
  return kind;
}

}  // namespace onceproxy::config
