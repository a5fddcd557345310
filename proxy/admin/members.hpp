// The common rules for objects in answers of the admin port: an empty text is left out, and a time
// is written as RFC 3339 in UTC. Private to this folder. Pure.
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
