#include "config/selector_rows.hpp"

namespace onceproxy::config {

std::optional<std::string> wrong_pointer(std::string_view pointer) {
  if (policies::parse_pointer(pointer)) return std::nullopt;
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

Kind<std::shared_ptr<const policies::Selector>> other_selector() {
  using Other = std::shared_ptr<const policies::Selector>;
  Kind<Other> kind;
  kind.read = [](const Node& node) -> std::optional<Other> {
    static const Kind<policies::Selector> any = selector(Sources::no_client_key);
    auto value = any.read(node);
    if (!value) return std::nullopt;
    return std::make_shared<const policies::Selector>(*std::move(value));
  };
  kind.schema = [] { return Json::object({{"$ref", "#/$defs/selector"}}); };
  return kind;
}

}  // namespace onceproxy::config
