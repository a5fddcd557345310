#include "config/selector_rows.hpp"

#include "config/foreign_pointer.hpp"

namespace onceproxy::config {

std::optional<std::string> wrong_pointer(std::string_view pointer) {
  const auto meant = pointer_meant(pointer);
  if (meant && pointer.starts_with('/')) {
    return "does not name an element of an array: an element is a segment of its own, counted "
           "from 0, and * is every one; did you mean \"" +
           *meant + "\"?";
  }
  if (policies::parse_pointer(pointer)) return std::nullopt;
  if (meant) return "is not a JSON Pointer; did you mean \"" + *meant + "\"?";
  if (pointer[0] != '/') {
    return "is not a JSON Pointer: it must begin with '/' (the whole document is \"\")";
  }
  return "is not a JSON Pointer: '~' is written ~0 and a '/' in a name ~1";
}

std::optional<std::string> wrong_cookie(std::string_view name) {
  if (!is_token(name)) return "is not a valid cookie name";
  return std::nullopt;
}

std::optional<std::string> wrong_name(std::string_view name) {
  if (name.empty()) return "is not a name";
  return std::nullopt;
}

Kind<std::string> certificate_name() {
  return word<std::string>({{"san_uri", "san_uri"},
                            {"san_dns", "san_dns"},
                            {"subject", "subject"},
                            {"sha256", "sha256"}});
}

Kind<int> decimal_places() {
  Kind<int> kind = as<int>(integer(0, 18));
  kind.print = [](const int&) { return Json(); };
  return kind;
}

Kind<std::vector<std::string>> pointer() {
  using Pointer = std::vector<std::string>;
  const Kind<std::string> any = text("a JSON Pointer", wrong_pointer);
  Kind<Pointer> kind;
  kind.schema = any.schema;
  kind.read = [any](const Node& node) -> std::optional<Pointer> {
    const auto written = any.read(node);
    if (!written) return std::nullopt;
    return policies::parse_pointer(*written);
  };
  return kind;
}

Kind<std::vector<std::vector<std::string>>> pointers() {
  Kind<std::vector<std::vector<std::string>>> kind =
      list("JSON Pointers", pointer(), Empty::refused);
  kind.print = [](const std::vector<std::vector<std::string>>&) { return Json(); };
  return kind;
}

Kind<std::vector<std::vector<std::string>>> pointers_into() {
  Kind<std::vector<std::vector<std::string>>> kind = pointers();
  kind.read = [any = kind.read](const Node& node) {
    auto value = any(node);
    for (const Node& item : node.items()) {
      if (item.is_scalar() && !item.is_broken() && item.text().empty()) {
        item.problem("\"\" is the whole document, of which nothing would be left");
      }
    }
    return value;
  };
  return kind;
}

Kind<policies::Regex> capture_pattern() {
  Kind<policies::Regex> kind = regex();
  kind.read = [any = kind.read](const Node& node) -> std::optional<policies::Regex> {
    auto expression = any(node);
    if (!expression) return std::nullopt;
    const int groups = (*expression)->NumberOfCapturingGroups();
    if (groups == 1) return expression;
    node.problem(quote(node.text()) + " has " + (groups == 0 ? "no" : std::to_string(groups)) +
                 (groups == 0 ? " group; put ( ) round the part to take"
                              : " groups; leave one ( ) round the part to take, and write (?: ) "
                                "for the others"));
    return std::nullopt;
  };
  return kind;
}

Kind<std::string> xpath() {
  Kind<std::string> kind = text("an XPath expression");
  kind.read = [any = kind.read](const Node& node) -> std::optional<std::string> {
    auto expression = any(node);
    if (!expression) return std::nullopt;
    const auto compiled = policies::XPath::compile(*expression);
    if (compiled) return expression;
    node.problem(quote(*expression) + " " + compiled.error());
    return std::nullopt;
  };
  return kind;
}

Kind<std::string> target_form() {
  const Kind<bool> as_it_came = only_true();
  Kind<std::string> kind;
  kind.read = [as_it_came](const Node& node) -> std::optional<std::string> {
    if (node.is_scalar() && node.text() == "normal") return "normal";
    if (node.is_scalar() && node.is_plain() && node.text() == "true") return "";
    node.expected("true or normal");
    return std::nullopt;
  };
  kind.schema = [as_it_came] {
    return JsonObject({{"anyOf", JsonArray({as_it_came.schema(), word_schema({"normal"})})}});
  };
  return kind;
}

Kind<std::shared_ptr<const policies::Selector>> other_selector() {
  using Other = std::shared_ptr<const policies::Selector>;
  Kind<Other> kind;
  kind.read = [](const Node& node) -> std::optional<Other> {
    static const Kind<policies::Selector> any = selector(Sources::no_client_key);
    auto value = any.read(node);
    if (!value) return std::nullopt;
    return std::make_shared<const policies::Selector>(*std::move(value));
  };
  kind.schema = [] { return JsonObject({{"$ref", "#/$defs/selector"}}); };
  return kind;
}

}  // namespace onceproxy::config
