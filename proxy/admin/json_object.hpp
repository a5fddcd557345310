// Object: one JSON object, member by member, appended to a buffer. Private to this folder.
// Not thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "proxy/telemetry/json_text.hpp"
#include "store/store.hpp"

namespace onceproxy::admin {

/// Members in the order they are given; empty texts are left out.
class Object {
 public:
  explicit Object(std::string& out) : out_(out) { out_ += '{'; }
  void text(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    begin(name);
    telemetry::append_json_string(out_, value);
  }
  template <typename Number>
  void number(std::string_view name, Number value) {
    begin(name);
    out_ += std::to_string(value);
  }
  void flag(std::string_view name, bool value) {
    begin(name);
    out_ += value ? "true" : "false";
  }
  void time(std::string_view name, store::WallTime value) {
    telemetry::Timestamp timestamp;
    text(name, timestamp.text(value));
  }
  void end() { out_ += '}'; }

 private:
  void begin(std::string_view name) {
    if (out_.back() != '{') out_ += ',';
    telemetry::append_json_string(out_, name);
    out_ += ':';
  }
  std::string& out_;
};

}  // namespace onceproxy::admin
