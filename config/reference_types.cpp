#include "config/reference_types.hpp"

#include <algorithm>

namespace onceproxy::config {

using telemetry::json_member;
using telemetry::json_member_text;
using telemetry::json_text;
namespace {

constexpr std::string_view reference_prefix = "#/$defs/";

/// The name of the definition that a schema refers to; empty when it refers to none.
std::string definition_of(const Json& schema) {
  const std::string reference = json_member_text(schema, "$ref");
  return reference.empty() ? "" : reference.substr(reference_prefix.size());
}

/// A selector names exactly one source; so does a condition, which also tests its value, and a
/// sequence, which also orders it.
bool is_selector(const Json& schema) {
  const Json* properties = json_member(schema, "properties");
  return json_member(schema, "oneOf") != nullptr && json_member(*properties, "equals") == nullptr &&
         json_member(*properties, "equal") == nullptr;
}

/// The choices of a value, without the one for a variable, which every scalar has.
std::vector<const Json*> choices_of(const Json& schema) {
  std::vector<const Json*> choices;
  const Json* any = json_member(schema, "anyOf");
  // A map may have an anyOf too, about which of its keys are required.
  if (any == nullptr || json_member(schema, "properties") != nullptr) return {&schema};
  for (const Json& each : *any->if_array()) {
    if (definition_of(each) == "variable") continue;
    for (const Json* choice : choices_of(each)) choices.push_back(choice);
  }
  return choices;
}

std::string joined(const std::vector<std::string>& words, const std::string& between,
                   const std::string& last) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? last : between;
    out += words[i];
  }
  return out;
}

void add_once(std::vector<std::string>& words, std::string word) {
  if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(std::move(word));
}

std::string one_syntax(const Json& schema) {
  const std::string definition = definition_of(schema);
  if (definition == "address") return "host:port | unix:/path";
  if (!definition.empty()) return definition;
  if (const Json* value = json_member(schema, "const")) return flow_yaml(*value);
  if (const Json* words = json_member(schema, "enum")) {
    std::vector<std::string> all;
    for (const Json& word : *words->if_array()) all.push_back(flow_yaml(word));
    return joined(all, " | ", " | ");
  }
  const std::string type = json_member_text(schema, "type");
  if (type == "integer" || type == "number") return "number";
  if (type == "boolean") return "true | false";
  if (type == "array") {
    const std::string item = syntax_of(*json_member(schema, "items"));
    const bool several = item.find(" | ") != std::string::npos;
    return several ? "[(" + item + "), …]" : "[" + item + ", …]";
  }
  if (type != "object") return json_member_text(schema, "format") == "regex" ? "regex" : "text";
  if (is_selector(schema)) return "selector";
  if (json_member(schema, "properties") != nullptr) return "{…}";
  return "{name: " + syntax_of(*json_member(schema, "additionalProperties")) + ", …}";
}

std::string first_of(const std::vector<std::string>& words) {
  return words.empty() ? "" : words.front();
}

std::string one_type(const Json& schema) {
  const std::string definition = definition_of(schema);
  if (definition == "duration" || definition == "size") {
    const std::string range = first_of(comments_of(schema));
    const std::string link = link_to(definition, definition);
    return range.starts_with("from ") ? link + ", " + range : link;
  }
  if (definition == "selector") return link_to("selector", "Selectors");
  if (!definition.empty()) return link_to(definition, definition);
  if (const Json* value = json_member(schema, "const")) return code(flow_yaml(*value));
  if (const Json* words = json_member(schema, "enum")) {
    std::vector<std::string> all;
    for (const Json& word : *words->if_array()) all.push_back(code(flow_yaml(word)));
    return joined(all, ", ", " or ");
  }
  const std::string type = json_member_text(schema, "type");
  if (type == "integer" || type == "number") {
    const std::string name = type == "integer" ? "whole number" : "number";
    return name + " from " + json_text(*json_member(schema, "minimum")) + " to " +
           json_text(*json_member(schema, "maximum"));
  }
  if (type == "boolean") return "`true` or `false`";
  if (type == "array") return "list of: " + type_of(*json_member(schema, "items"));
  if (type == "object") {
    if (json_member(schema, "properties") != nullptr)
      return is_selector(schema) ? "selector" : "map";
    return "map from names to: " + type_of(*json_member(schema, "additionalProperties"));
  }
  if (json_member_text(schema, "format") == "regex") {
    return link_to("regular expression", "regular expression");
  }
  const std::string name = first_of(comments_of(schema));
  const bool named = !name.empty() && !name.starts_with("since ");
  return named ? link_to("text", "text") + ": " + name : link_to("text", "text");
}

/// Whether text needs no quotes to be taken for text. 1.2 would be a number.
bool plain_in_yaml(std::string_view text) {
  static constexpr std::string_view special = ":{}[],&*#?|-<>=!%@\\\"'` ";
  if (text.empty() || special.find(text.front()) != std::string_view::npos) return false;
  if (text.find_first_not_of("0123456789.") == std::string_view::npos) return false;
  return text.find_first_of("{}[],\"") == std::string_view::npos &&
         text.find(": ") == std::string_view::npos && text.find(" #") == std::string_view::npos;
}

}  // namespace

std::string anchor_of(std::string_view heading) {
  std::string out;
  for (char c : heading) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == ' ') c = '-';
    const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (kept) out += c;
  }
  return out;
}

std::string link_to(const std::string& text, std::string_view heading) {
  return "[" + text + "](#" + anchor_of(heading) + ")";
}

std::string code(std::string_view text) {
  std::string out = "`";
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out + "`";
}

std::string flow_yaml(const Json& value) {
  if (const auto* string = value.if_string()) {
    std::string text(string->data(), string->size());
    return plain_in_yaml(text) ? text : "'" + text + "'";
  }
  std::vector<std::string> parts;
  if (const auto* items = value.if_array()) {
    for (const Json& item : *items) parts.push_back(flow_yaml(item));
    return "[" + joined(parts, ", ", ", ") + "]";
  }
  if (const auto* members = value.if_object()) {
    for (const auto& [name, member] : *members) {
      parts.push_back(std::string(name) + ": " + flow_yaml(member));
    }
    return "{" + joined(parts, ", ", ", ") + "}";
  }
  return json_text(value);
}

std::vector<std::string> comments_of(const Json& schema) {
  std::vector<std::string> out;
  std::string rest = json_member_text(schema, "$comment");
  while (!rest.empty()) {
    const std::size_t end = rest.find("; ");
    out.push_back(rest.substr(0, end));
    rest = end == std::string::npos ? "" : rest.substr(end + 2);
  }
  return out;
}

std::string syntax_of(const Json& schema) {
  std::vector<std::string> all;
  for (const Json* choice : choices_of(schema)) add_once(all, one_syntax(*choice));
  return joined(all, " | ", " | ");
}

std::string type_of(const Json& schema) {
  std::vector<std::string> all;
  for (const Json* choice : choices_of(schema)) add_once(all, one_type(*choice));
  return joined(all, ", ", ", or ");
}

std::string unit_of(const Json& schema) {
  for (const Json* choice : choices_of(schema)) {
    const std::string definition = definition_of(*choice);
    if (definition == "duration") return "`ms`, `s`, `m`, `h` or `d`, always written";
    if (definition == "size") return "bytes, or `KiB`, `MiB`, `GiB`, `TiB`";
  }
  return "";
}

}  // namespace onceproxy::config
