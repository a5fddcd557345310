// Json: builds and prints JSON where speed does not matter: the schema and its reference, lists of
// problems, the answers of the admin port, the reports of the commands. The values are those of
// Boost.JSON; their members keep the order in which they were set. This adds indentation, and text
// that is safe to print (json_text.hpp). Pure; thread-safe.
//
// What is written for each request uses json_text.hpp instead, which has the comparison: the access
// log, captures, spans, and the problems in refusals.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace onceproxy::telemetry {

using Json = boost::json::value;
using JsonArray = boost::json::array;
using JsonObject = boost::json::object;

/// With an indent of 0 everything is on one line. Text is escaped as by append_json_string, so that
/// the result is valid JSON for any bytes.
std::string json_text(const Json& value, int indent = 0);

/// nullptr if there is no such member, or if `value` is not an object.
const Json* json_member(const Json& value, std::string_view name);
Json* json_member(Json& value, std::string_view name);

/// The text of a member; empty if there is none, or if it is not a text.
std::string json_member_text(const Json& value, std::string_view name);

/// Replaces the member with that name or adds it at the end. `object` must be an object.
template <typename Value>
void set_member(Json& object, std::string_view name, Value&& value) {
  object.as_object()[name] = Json(std::forward<Value>(value));
}

}  // namespace onceproxy::telemetry
