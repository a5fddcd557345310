#include "config/schema.hpp"

#include "config/load.hpp"
#include "config/selector_reader.hpp"
#include "config/settings_reader.hpp"

namespace onceproxy::config {
namespace {

Json text_like(const char* pattern, const char* description) {
  return JsonObject({{"type", "string"}, {"pattern", pattern}, {"description", description}});
}

Json definitions() {
  Json size = JsonObject();
  set_member(size, "anyOf",
             JsonArray({JsonObject({{"type", "integer"}, {"minimum", 0}}),
                        JsonObject({{"type", "string"},
                                    {"pattern", "^[0-9]+(KiB|MiB|GiB|TiB)$|\\$\\{"}})}));
  set_member(size, "description", "Bytes, or 64KiB, 1MiB, 4GiB.");
  return JsonObject(
      {{"variable",
        text_like("\\$\\{", "Text with an environment variable: ${NAME} or ${NAME:-default}.")},
       {"duration", text_like("^[0-9]+(ms|s|m|h|d)$|\\$\\{", "500ms, 30s, 5m, 24h, 7d.")},
       {"size", std::move(size)},
       {"selector", selector(Sources::no_client_key).schema()},
       {"address", text_like("^(.+:[0-9]+|unix:/.+)$|\\$\\{", "host:port or unix:/path.")}});
}

}  // namespace

Json schema_document() {
  Json schema = JsonObject({{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                            {"title", "onceproxy"},
                            {"description", "The configuration of onceproxy."}});
  Json top = settings().schema();
  for (const char* name : {"type", "additionalProperties", "required", "properties"}) {
    set_member(schema, name, std::move(*json_member(top, name)));
  }
  set_member(schema, "$defs", definitions());
  return schema;
}

std::string json_schema() {
  return json_text(schema_document(), 2) + "\n";
}

}  // namespace onceproxy::config
