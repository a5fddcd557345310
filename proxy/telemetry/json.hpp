// Json: JSON that is put together and printed, for cold paths: the schema and its reference, lists
// of problems, the answers of the admin port, the reports of the commands. The values are those of
// Boost.JSON; their members keep the order they are set in. Here is what it lacks: indentation, and
// text that is safe to print (json_text.hpp). Pure; thread-safe as any value is.
//
// What is written for each request is written by hand with json_text.hpp, which says what that was
// measured against: the access log, captures, spans, and the problems that refusals answer with.
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

/// With an indent of 0 everything stands on one line. Text is escaped as append_json_string does
/// it, so that what is printed is valid JSON whatever its bytes.
std::string json_text(const Json& value, int indent = 0);

/// nullptr where there is no such member, or `value` is not an object.
const Json* json_member(const Json& value, std::string_view name);
Json* json_member(Json& value, std::string_view name);

/// The text of such a member; empty where there is none, or it is not a text.
std::string json_member_text(const Json& value, std::string_view name);

/// Replaces the member of that name or adds it at the end. `object` is an object.
template <typename Value>
void set_member(Json& object, std::string_view name, Value&& value) {
  object.as_object()[name] = Json(std::forward<Value>(value));
}

}  // namespace onceproxy::telemetry
