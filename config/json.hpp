// Json: a JSON value that is built and printed, for the schema and for lists of problems. It does
// not parse. A plain value; thread-safe as any value is.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace onceproxy::config {

class Json {
 public:
  using Member = std::pair<std::string, Json>;

  Json() = default;
  Json(bool value) : value_(value) {}
  Json(int value) : value_(std::int64_t{value}) {}
  Json(std::int64_t value) : value_(value) {}
  Json(std::uint64_t value) : value_(static_cast<std::int64_t>(value)) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}

  static Json array(std::vector<Json> items = {});
  static Json object(std::vector<Member> members = {});

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }

  /// Only on an array.
  void push_back(Json item);
  /// Only on an object: replaces the member of that name or adds it at the end.
  void set(std::string name, Json value);
  /// Only on an object: takes the member of that name out, if there is one.
  void remove(std::string_view name);
  /// Only on an object; nullptr when there is no such member.
  Json* find(std::string_view name);
  /// nullptr when there is no such member, or this is not an object.
  const Json* find(std::string_view name) const;

  /// nullptr when the value is of another type.
  const std::string* text() const { return std::get_if<std::string>(&value_); }
  const std::vector<Json>* items() const { return std::get_if<std::vector<Json>>(&value_); }
  const std::vector<Member>* members() const { return std::get_if<std::vector<Member>>(&value_); }
  std::vector<Json>* items() { return std::get_if<std::vector<Json>>(&value_); }
  std::vector<Member>* members() { return std::get_if<std::vector<Member>>(&value_); }

  bool operator==(const Json&) const = default;

  /// With an indent of 0 everything stands on one line. Members keep the order they were set in.
  /// Bytes that are not UTF-8 become U+FFFD, so that the text is always valid JSON.
  std::string dump(int indent = 0) const;

 private:
  void write(std::string& out, int indent, int depth) const;

  std::variant<std::monostate, bool, std::int64_t, std::string, std::vector<Json>,
               std::vector<Member>>
      value_;
};

}  // namespace onceproxy::config
