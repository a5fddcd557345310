#include "config/redact.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <utility>

#include "config/postgres_url.hpp"
#include "config/reading.hpp"
#include "config/yaml.hpp"

namespace onceproxy::config {
namespace {

constexpr std::string_view hidden = "[redacted]";

/// What a client proves itself with, as selectors name it.
constexpr std::array<std::string_view, 4> secret_sources{"header", "cookie", "query", "client_key"};
constexpr std::array<std::string_view, 4> compared_with{"equals", "in", "regex", "default"};

bool has_credentials(std::string_view text) {
  const std::size_t scheme = text.find("://");
  return scheme != std::string_view::npos && text.find('@', scheme) != std::string_view::npos;
}

Json json_of_scalar(const YamlValue& value) {
  if (is_postgres_url(value.text)) return Json(without_password(value.text));
  if (has_credentials(value.text)) return Json(hidden);
  if (!value.plain) return Json(value.text);
  if (value.text == "true" || value.text == "false") return Json(value.text == "true");
  std::int64_t number = 0;
  const char* const end = value.text.data() + value.text.size();
  const auto [stop, error] = std::from_chars(value.text.data(), end, number);
  // 007 and 1.0 are not the number they look like to everybody.
  if (error == std::errc() && stop == end && std::to_string(number) == value.text)
    return Json(number);
  return Json(value.text);
}

bool compares_a_secret(const YamlValue& map) {
  return std::ranges::any_of(map.entries, [](const YamlEntry& entry) {
    return std::ranges::find(secret_sources, entry.key) != secret_sources.end();
  });
}

Json json_of(const YamlValue& value, bool secret);

Json json_of_map(const YamlValue& map, bool secret) {
  const bool comparing = compares_a_secret(map);
  Json out = telemetry::JsonObject();
  for (const YamlEntry& entry : map.entries) {
    const bool compared =
        comparing && std::ranges::find(compared_with, entry.key) != compared_with.end();
    // The map of an answer's header fields, or of those that a request must have. Elsewhere
    // `headers` is a number.
    const bool fields = entry.key == "headers" && entry.item.value->kind == YamlValue::Kind::map;
    telemetry::set_member(out, entry.key, json_of(*entry.item.value, secret || compared || fields));
  }
  return out;
}

Json json_of(const YamlValue& value, bool secret) {
  switch (value.kind) {
    case YamlValue::Kind::nothing:
      return {};
    case YamlValue::Kind::map:
      return json_of_map(value, secret);
    case YamlValue::Kind::list: {
      telemetry::JsonArray out;
      for (const YamlItem& item : value.items) out.push_back(json_of(*item.value, secret));
      return out;
    }
    case YamlValue::Kind::scalar:
      break;
  }
  return secret ? Json(hidden) : json_of_scalar(value);
}

}  // namespace

Environment hiding(const Environment& environment) {
  // An empty variable stays one, since a default stands in for it.
  return [environment](const std::string& name) -> std::optional<std::string> {
    std::optional<std::string> value = environment(name);
    if (value && !value->empty()) value = hidden;
    return value;
  };
}

Json redacted(const YamlValue& document) {
  return json_of(document, false);
}

Json redacted(std::string_view text, const Environment& environment) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Reading reading(text, "", {});
  const auto root = parse_yaml(text, hiding(environment), reading);
  return root ? redacted(*root->value) : Json();
}

}  // namespace onceproxy::config
