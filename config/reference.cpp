// config/REFERENCE.md: every key of the configuration, from the same tables as reader and schema. A
// section for each map, in the order of the tables; a key that means the same in several maps is
// described once, where it comes first, and linked from the others.

#include <algorithm>

#include "config/load.hpp"
#include "config/reference_types.hpp"
#include "config/schema.hpp"

namespace onceproxy::config {

using telemetry::json_member;
using telemetry::json_member_text;
using telemetry::JsonObject;
using telemetry::set_member;
namespace {

constexpr std::size_t line_width = 100;
/// The version that brought every key whose row names no other.
constexpr const char* first_version = "0.1.0";

constexpr const char* preface = R"(# Configuration reference

Every key of the configuration file. This file is generated from the tables that read the
configuration; do not edit it. After a change of a table, write it anew:

    onceproxy schema --format markdown > config/REFERENCE.md

[README.md](README.md) describes how the file is read, and gives the reasons for its form.
[policies/README.md](../policies/README.md) describes what each key of a policy is for and how
fields are selected. [examples](examples) holds complete files.

## Values

The file is one YAML document of at most 1 MiB. An unknown key, a duplicate key and a value of the
wrong type are errors, and all of them are reported at once. Types are strict: `"5"` is text and
not a number.

Any scalar may contain `${NAME}` or `${NAME:-default}`, which stand for a variable of the
environment; a variable that is not set and has no default is an error. In the rows "Syntax" below,
`|` separates alternatives and `…` stands for more of the same.

### duration

A whole number and a unit without a space: `500ms`, `30s`, `5m`, `24h`, `7d`.

### size

A whole number of bytes, or one with a unit: `65536`, `64KiB`, `1MiB`, `4GiB`.

### address

`host:port`, where the host is a name, an IPv4 address or an IPv6 address in brackets; or
`unix:/path`, a Unix domain socket.

### text

Any scalar; numbers and flags are taken as they are written. UTF-8 without control characters other
than tab and line feed.

### regular expression

An expression in the syntax of [RE2](https://github.com/google/re2/wiki/Syntax), which is matched in
linear time. It must match the whole value.

)";

struct Documented {
  std::string name;
  /// Where the key's heading stands.
  std::string heading;
  /// Its schema but for the default.
  Json schema;
  Json fallback;
};

/// A map with its keys.
struct Section {
  std::string path;
  std::string description;
  Json schema;
  /// The keys that this section describes, and those that another one describes.
  std::vector<Documented> own;
  struct Shared {
    std::size_t section;
    std::string name;
    std::string heading;
  };
  std::vector<Shared> shared;
};

Json without_default(const Json& schema) {
  Json out = schema;
  if (JsonObject* const members = out.if_object()) members->stable_erase("default");
  return out;
}

bool is_required(const Json& schema, const std::string& key) {
  const Json* required = json_member(schema, "required");
  if (required == nullptr) return false;
  for (const Json& each : *required->if_array()) {
    if (each == Json(key)) return true;
  }
  return false;
}

constexpr const char* selector_path = "selector";

std::string section_heading(const std::string& path) {
  if (path == selector_path) return "Selectors";
  return path.empty() ? "Top level" : "In `" + path + "`";
}

/// Gathers the maps of a schema, the outer ones first.
class Sections {
 public:
  void add(const Json& schema, const std::string& path, const std::string& description) {
    if (const Json* properties = json_member(schema, "properties")) {
      if (add_section(schema, path, description)) {
        for (const auto& [key, inner] : *properties->if_object()) {
          add(inner, path.empty() ? std::string(key) : path + "." + std::string(key),
              json_member_text(inner, "description"));
        }
      }
      return;
    }
    if (const Json* any = json_member(schema, "anyOf")) {
      for (const Json& each : *any->if_array()) add(each, path, description);
    }
    if (const Json* items = json_member(schema, "items")) add(*items, path + "[]", description);
    const Json* more = json_member(schema, "additionalProperties");
    if (more != nullptr && more->if_object() != nullptr) add(*more, path + ".name", description);
  }

  const std::vector<Section>& all() const { return all_; }

  /// The section that describes the map in `schema`, if one does; its keys may have other defaults.
  const Section* of(const Json& schema) const {
    const Json* map = map_in(schema);
    if (map == nullptr) return nullptr;
    for (const Section& section : all_) {
      if (same_keys(section.schema, *map)) return &section;
    }
    return nullptr;
  }

  /// The map that a value is, or may be, or holds.
  static const Json* map_in(const Json& schema) {
    if (json_member(schema, "properties") != nullptr) return &schema;
    if (const Json* any = json_member(schema, "anyOf")) {
      for (const Json& each : *any->if_array()) {
        if (const Json* map = map_in(each)) return map;
      }
    }
    const Json* items = json_member(schema, "items");
    if (items != nullptr) return map_in(*items);
    const Json* more = json_member(schema, "additionalProperties");
    return more == nullptr ? nullptr : map_in(*more);
  }

 private:
  static bool same_keys(const Json& a, const Json& b) {
    const auto& left = *json_member(a, "properties")->if_object();
    const auto& right = *json_member(b, "properties")->if_object();
    if (left.size() != right.size()) return false;
    return std::equal(left.begin(), left.end(), right.begin(),
                      [](const auto& one, const auto& other) {
                        return one.key() == other.key() &&
                               without_default(one.value()) == without_default(other.value());
                      });
  }

  /// False when another section describes the same keys already.
  bool add_section(const Json& schema, const std::string& path, const std::string& description) {
    for (const Section& other : all_) {
      if (same_keys(other.schema, schema)) return false;
    }
    Section section{path, description, schema, {}, {}};
    for (const auto& [member, inner] : *json_member(schema, "properties")->if_object()) {
      const std::string key(member);
      if (!share(section, key, inner)) {
        const Json* fallback = json_member(inner, "default");
        std::string place = path;
        if (!place.empty()) place += '.';
        place += key;
        section.own.push_back({key, std::move(place), without_default(inner),
                               fallback == nullptr ? Json() : *fallback});
      }
    }
    all_.push_back(std::move(section));
    return true;
  }

  bool share(Section& section, const std::string& key, const Json& schema) const {
    for (std::size_t i = 0; i < all_.size(); ++i) {
      for (const Documented& known : all_[i].own) {
        if (known.name != key || known.schema != without_default(schema)) continue;
        section.shared.push_back({i, key, known.heading});
        return true;
      }
    }
    return false;
  }

  std::vector<Section> all_;
};

/// For the running text of Markdown.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '*' || c == '<') out += '\\';
    out += c;
  }
  return out;
}

/// Lines after the first are indented by `indent`.
std::string wrapped(const std::string& text, std::size_t indent = 0) {
  std::string out;
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::size_t length = end - at;
    if (column > 0 && column + 1 + length > line_width) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out.append(text, at, length);
    column += length;
    at = end + 1;
  }
  return out + "\n";
}

std::string version_of(const Json& schema) {
  static constexpr std::string_view mark = "since ";
  for (const std::string& comment : comments_of(schema)) {
    if (comment.starts_with(mark)) return comment.substr(mark.size());
  }
  return first_version;
}

bool is_absent_by_default(const Json& schema) {
  for (const std::string& comment : comments_of(schema)) {
    if (comment == "absent by default") return true;
  }
  return false;
}

/// The defaults of the keys of a map that another section describes, if they differ from those
/// that it gives.
std::string other_defaults(const Json& map, const Section& section) {
  Json differing = JsonObject();
  const Json& known = *json_member(section.schema, "properties");
  for (const auto& [key, inner] : *json_member(map, "properties")->if_object()) {
    const Json* here = json_member(inner, "default");
    const Json* there = json_member(*json_member(known, key), "default");
    if (here != nullptr && (there == nullptr || *here != *there)) set_member(differing, key, *here);
  }
  return differing.as_object().empty() ? "" : code(flow_yaml(differing));
}

std::string default_of(const Documented& key, const Section& section, const Sections& sections) {
  if (is_required(section.schema, key.name)) return "none; the key is required";
  if (!key.fallback.is_null()) return code(flow_yaml(key.fallback));
  const std::string description = json_member_text(key.schema, "description");
  for (const char* mark : {"Default:", "By default"}) {
    if (description.find(mark) != std::string::npos) return "described below";
  }
  if (json_member(key.schema, "properties") == nullptr) return "none";
  if (json_member(key.schema, "required") != nullptr) return "none";
  const std::string other = other_defaults(key.schema, *sections.of(key.schema));
  if (!other.empty()) return "none; its keys are by default " + other;
  return is_absent_by_default(key.schema) ? "none" : "those of its keys";
}

std::string row(const std::string& name, const std::string& value) {
  return "| " + name + " | " + value + " |\n";
}

std::string key_text(const Documented& key, const Section& section, const Sections& sections) {
  std::string out = "### " + key.heading + "\n\n";
  out += "| Syntax | " + code(key.name + ": " + syntax_of(key.schema)) + " |\n|---|---|\n";
  std::string type = type_of(key.schema);
  if (const Section* keys = sections.of(key.schema)) {
    type += "; keys: " + link_to(code(keys->path), section_heading(keys->path));
  }
  out += row("Type", type);
  if (const std::string unit = unit_of(key.schema); !unit.empty()) out += row("Unit", unit);
  out += row("Default", default_of(key, section, sections));
  out += row("Since", version_of(key.schema));
  return out + "\n" + wrapped(escaped(json_member_text(key.schema, "description"))) + "\n";
}

/// "The keys a and b are those of X": what another section describes.
std::string shared_text(const Section& section, const Sections& sections) {
  std::string out;
  for (std::size_t i = 0; i < sections.all().size(); ++i) {
    const Section& origin = sections.all()[i];
    std::string names;
    std::size_t count = 0;
    for (const Section::Shared& shared : section.shared) {
      if (shared.section != i) continue;
      names += (count++ == 0 ? "" : ", ") + link_to(code(shared.name), shared.heading);
    }
    if (count == 0) continue;
    const std::string link = link_to(code(origin.path), section_heading(origin.path));
    const bool all = count == origin.own.size() && origin.shared.empty();
    std::string text = all ? "All keys of " : "Keys as ";
    text += link;
    if (!all) text += " has them: " + names;
    text += '.';
    out += wrapped(text) + "\n";
  }
  return out;
}

std::string section_text(const Section& section, const Sections& sections) {
  std::string out = "## " + section_heading(section.path) + "\n\n";
  if (!section.description.empty()) out += wrapped(escaped(section.description)) + "\n";
  out += shared_text(section, sections);
  for (const Documented& key : section.own) out += key_text(key, section, sections);
  return out;
}

std::string contents(const std::vector<const Section*>& order) {
  std::string out = "## Contents\n\n";
  for (const Section* section : order) {
    const std::string heading = section_heading(section->path);
    std::string line = "- " + link_to(heading, heading);
    const char* between = ": ";
    for (const Documented& key : section->own) {
      line += between + link_to(code(key.name), key.heading);
      between = ", ";
    }
    out += wrapped(line, 2);
  }
  return out + "\n";
}

}  // namespace

std::string reference() {
  const Json schema = schema_document();
  Sections sections;
  // The map that most others share comes first, so that they refer to it; it is printed last.
  sections.add(*json_member(*json_member(schema, "$defs"), "selector"), selector_path,
               "A selector names one field of a request.");
  sections.add(schema, "", "");
  std::vector<const Section*> order;
  for (std::size_t i = 1; i < sections.all().size(); ++i) order.push_back(&sections.all()[i]);
  order.push_back(&sections.all().front());

  std::string out = preface + contents(order);
  for (const Section* section : order) out += section_text(*section, sections);
  out.pop_back();
  return out;
}

}  // namespace onceproxy::config
