#include "config/scalars.hpp"
#include "config/selector_reader.hpp"

namespace onceproxy::config {

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
    node.problem(quote(*expression) +
                 " is not a valid regular expression (RE2): " + compiled->error());
    return std::nullopt;
  };
  kind.schema = [] { return Json::object({{"type", "string"}, {"format", "regex"}}); };
  return kind;
}

}  // namespace onceproxy::config
