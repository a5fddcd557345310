// What the objects that the admin port answers with have in common: a text that is empty is left
// out, and a time is RFC 3339 in UTC. Private to this folder. Pure.
#pragma once

#include <string_view>

#include "proxy/telemetry/json.hpp"
#include "proxy/telemetry/json_text.hpp"
#include "store/wall_time.hpp"

namespace onceproxy::admin {

inline void add_text(telemetry::JsonObject& object, std::string_view name, std::string_view text) {
  if (!text.empty()) object[name] = text;
}

inline void add_time(telemetry::JsonObject& object, std::string_view name, store::WallTime time) {
  telemetry::Timestamp timestamp;
  object[name] = timestamp.text(time);
}

}  // namespace onceproxy::admin
