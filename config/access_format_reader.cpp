#include "config/access_format_reader.hpp"

#include <string>

#include "config/text.hpp"

namespace onceproxy::config {
namespace {

using telemetry::AccessFormat;
using Format = std::shared_ptr<const AccessFormat>;

/// Maps within maps.
constexpr int depth_max = 8;

void report(const Node& node, const AccessFormat::Problem& problem) {
  node.problem("at character " + std::to_string(column_of(node.text(), problem.offset)) + ": " +
               problem.message);
}

/// The members of a map and of the maps in it. False: there is a problem, which has been reported.
bool read_members(const Node& node, AccessFormat::Json& json, int depth) {
  if (depth > depth_max) {
    node.problem("more than " + std::to_string(depth_max) + " maps within one another");
    return false;
  }
  const auto entries = node.entries();
  if (entries.empty()) {
    node.problem("the map is empty");
    return false;
  }
  bool good = true;
  for (const Node::Entry& entry : entries) {
    if (entry.value.is_map()) {
      json.begin_object(entry.key);
      good = read_members(entry.value, json, depth + 1) && good;
      json.end_object();
    } else if (entry.value.is_scalar()) {
      if (const auto problem = json.member(entry.key, entry.value.text())) {
        report(entry.value, *problem);
        good = false;
      }
    } else {
      entry.value.expected("a text with operators such as %RESPONSE_CODE%, or a map of them");
      good = false;
    }
  }
  return good;
}

std::optional<Format> read(const Node& node) {
  if (node.is_map()) {
    AccessFormat::Json json;
    if (!read_members(node, json, 1)) return std::nullopt;
    return std::make_shared<const AccessFormat>(json.finish());
  }
  if (!node.is_scalar()) {
    node.expected("a text with operators such as %RESPONSE_CODE%, or a map of them");
    return std::nullopt;
  }
  auto made = AccessFormat::text(node.text());
  if (made) return std::make_shared<const AccessFormat>(*std::move(made));
  report(node, made.error());
  return std::nullopt;
}

}  // namespace

Kind<Format> access_format() {
  const auto members_schema = [] {
    return JsonObject(
        {{"type", "object"},
         {"minProperties", 1},
         {"additionalProperties",
          JsonObject({{"type", JsonArray({"string", "object", "number", "boolean"})}})}});
  };
  Kind<Format> kind;
  kind.read = read;
  kind.schema = [members_schema] {
    return JsonObject({{"anyOf", JsonArray({JsonObject({{"type", "string"}, {"minLength", 1}}),
                                            members_schema()})}});
  };
  return kind;
}

}  // namespace onceproxy::config
