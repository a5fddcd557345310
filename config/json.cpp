#include "config/json.hpp"

#include "config/text.hpp"

namespace onceproxy::config {
namespace {

void write_string(std::string& out, std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x80) {
      const std::size_t length = utf8_length(text.substr(i));
      if (length == 0) {
        out += "\\ufffd";
        ++i;
      } else {
        out += text.substr(i, length);
        i += length;
      }
      continue;
    }
    ++i;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c < 0x20 || c == 0x7f) {
      out += "\\u00";
      out += digits[c >> 4];
      out += digits[c & 15];
    } else {
      out += static_cast<char>(c);
    }
  }
  out += '"';
}

void new_line(std::string& out, int indent, int depth) {
  if (indent == 0) return;
  out += '\n';
  out.append(static_cast<std::size_t>(indent * depth), ' ');
}

}  // namespace

Json Json::array(std::vector<Json> items) {
  Json json;
  json.value_ = std::move(items);
  return json;
}

Json Json::object(std::vector<Member> members) {
  Json json;
  json.value_ = std::move(members);
  return json;
}

void Json::push_back(Json item) {
  std::get<std::vector<Json>>(value_).push_back(std::move(item));
}

void Json::set(std::string name, Json value) {
  if (Json* old = find(name)) {
    *old = std::move(value);
  } else {
    std::get<std::vector<Member>>(value_).emplace_back(std::move(name), std::move(value));
  }
}

void Json::remove(std::string_view name) {
  auto& members = std::get<std::vector<Member>>(value_);
  std::erase_if(members, [name](const Member& member) { return member.first == name; });
}

Json* Json::find(std::string_view name) {
  for (auto& [key, value] : std::get<std::vector<Member>>(value_)) {
    if (key == name) return &value;
  }
  return nullptr;
}

const Json* Json::find(std::string_view name) const {
  if (members() == nullptr) return nullptr;
  for (const auto& [key, value] : *members()) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string Json::dump(int indent) const {
  std::string out;
  write(out, indent, 0);
  return out;
}

void Json::write(std::string& out, int indent, int depth) const {
  if (const auto* flag = std::get_if<bool>(&value_)) {
    out += *flag ? "true" : "false";
  } else if (const auto* number = std::get_if<std::int64_t>(&value_)) {
    out += std::to_string(*number);
  } else if (const auto* text = std::get_if<std::string>(&value_)) {
    write_string(out, *text);
  } else if (const auto* items = std::get_if<std::vector<Json>>(&value_)) {
    out += '[';
    for (std::size_t i = 0; i < items->size(); ++i) {
      if (i > 0) out += ',';
      new_line(out, indent, depth + 1);
      (*items)[i].write(out, indent, depth + 1);
    }
    if (!items->empty()) new_line(out, indent, depth);
    out += ']';
  } else if (const auto* members = std::get_if<std::vector<Member>>(&value_)) {
    out += '{';
    for (std::size_t i = 0; i < members->size(); ++i) {
      if (i > 0) out += ',';
      new_line(out, indent, depth + 1);
      write_string(out, (*members)[i].first);
      out += indent == 0 ? ":" : ": ";
      (*members)[i].second.write(out, indent, depth + 1);
    }
    if (!members->empty()) new_line(out, indent, depth);
    out += '}';
  } else {
    out += "null";
  }
}

}  // namespace onceproxy::config
