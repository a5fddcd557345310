#include "proxy/telemetry/json.hpp"

#include <boost/json/serialize.hpp>

// The whole of Boost.JSON, compiled here and nowhere else: no library to link.
#include <boost/json/src.hpp>

#include "proxy/telemetry/json_text.hpp"

namespace onceproxy::telemetry {
namespace {

std::string_view view(const boost::json::string& text) {
  return {text.data(), text.size()};
}

class Printer {
 public:
  Printer(std::string& out, int indent) : out_(out), indent_(indent) {}

  void print(const Json& value, int depth = 0) {
    if (const auto* text = value.if_string()) {
      append_json_string(out_, view(*text));
    } else if (const JsonArray* items = value.if_array()) {
      list('[', ']', *items, depth, [&](const Json& item) { print(item, depth + 1); });
    } else if (const JsonObject* members = value.if_object()) {
      list('{', '}', *members, depth, [&](const boost::json::key_value_pair& member) {
        append_json_string(out_, {member.key().data(), member.key().size()});
        out_ += indent_ == 0 ? ":" : ": ";
        print(member.value(), depth + 1);
      });
    } else {
      out_ += boost::json::serialize(value);
    }
  }

 private:
  template <typename Items, typename Print>
  void list(char begin, char end, const Items& items, int depth, Print print_item) {
    out_ += begin;
    bool first = true;
    for (const auto& item : items) {
      if (!std::exchange(first, false)) out_ += ',';
      new_line(depth + 1);
      print_item(item);
    }
    if (!first) new_line(depth);
    out_ += end;
  }

  void new_line(int depth) {
    if (indent_ == 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(indent_ * depth), ' ');
  }

  std::string& out_;
  const int indent_;
};

}  // namespace

std::string json_text(const Json& value, int indent) {
  std::string out;
  Printer(out, indent).print(value);
  return out;
}

const Json* json_member(const Json& value, std::string_view name) {
  const JsonObject* const object = value.if_object();
  return object == nullptr ? nullptr : object->if_contains(name);
}

Json* json_member(Json& value, std::string_view name) {
  JsonObject* const object = value.if_object();
  return object == nullptr ? nullptr : object->if_contains(name);
}

std::string json_member_text(const Json& value, std::string_view name) {
  const Json* const member = json_member(value, name);
  const auto* const text = member == nullptr ? nullptr : member->if_string();
  return text == nullptr ? std::string() : std::string(view(*text));
}

}  // namespace onceproxy::telemetry
