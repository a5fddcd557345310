#include "proxy/cli/backtest/json_fields.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace onceproxy::backtest {
namespace {

using Kind = JsonTree::Kind;

void add_header(std::string_view name, std::string_view value, HeaderList& out) {
  if (name.empty() || name.front() == ':') return;
  out.emplace_back(name, value);
}

bool read_header_map(const JsonTree& tree, JsonTree::Index map, HeaderList& out) {
  for (const JsonTree::Index member : tree.children(map)) {
    if (tree.kind(member) == Kind::array) {
      for (const JsonTree::Index item : tree.children(member)) {
        const auto value = scalar_text(tree, item);
        if (!value) return false;
        add_header(tree.name(member), *value, out);
      }
      continue;
    }
    const auto value = scalar_text(tree, member);
    if (!value) return false;
    add_header(tree.name(member), *value, out);
  }
  return true;
}

/// One item of a list of headers: a pair, or an object with a name and a value.
bool read_header_item(const JsonTree& tree, JsonTree::Index item, HeaderList& out) {
  std::optional<std::string_view> name;
  std::optional<std::string_view> value;
  if (tree.kind(item) == Kind::object) {
    const JsonObject header(tree, item);
    name = header.string("name");
    value = header.text("value");
  } else if (tree.kind(item) == Kind::array && tree.children(item).size() == 2) {
    name = scalar_text(tree, tree.children(item)[0]);
    value = scalar_text(tree, tree.children(item)[1]);
  }
  if (!name || !value) return false;
  add_header(*name, *value, out);
  return true;
}

}  // namespace

std::optional<JsonTree::Index> JsonObject::find(std::string_view name) const {
  const JsonTree::Index* member = tree_.member(index_, name);
  if (member == nullptr || tree_.kind(*member) == Kind::null) return std::nullopt;
  return *member;
}

std::optional<JsonObject> JsonObject::object(std::string_view name) const {
  const auto member = find(name);
  if (!member || tree_.kind(*member) != Kind::object) return std::nullopt;
  return JsonObject(tree_, *member);
}

std::optional<std::string_view> JsonObject::string(std::string_view name) const {
  const auto member = find(name);
  if (!member || tree_.kind(*member) != Kind::string) return std::nullopt;
  return tree_.text(*member);
}

std::optional<std::string_view> JsonObject::text(std::string_view name) const {
  const auto member = find(name);
  if (!member) return std::nullopt;
  const Kind kind = tree_.kind(*member);
  if (kind != Kind::string && kind != Kind::number) return std::nullopt;
  return tree_.text(*member);
}

std::optional<double> JsonObject::number(std::string_view name) const {
  const auto written = text(name);
  if (!written) return std::nullopt;
  double value = 0;
  const char* const end = written->data() + written->size();
  const auto read = std::from_chars(written->data(), end, value);
  if (read.ec != std::errc() || read.ptr != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<std::string_view> scalar_text(const JsonTree& tree, JsonTree::Index value) {
  switch (tree.kind(value)) {
    case Kind::string:
    case Kind::number:
    case Kind::boolean_false:
    case Kind::boolean_true:
      return tree.text(value);
    case Kind::null:
    case Kind::array:
    case Kind::object:
      break;
  }
  return std::nullopt;
}

bool read_headers(const JsonTree& tree, JsonTree::Index value, HeaderList& out) {
  if (tree.kind(value) == Kind::object) return read_header_map(tree, value, out);
  if (tree.kind(value) != Kind::array) return false;
  const auto items = tree.children(value);
  return std::all_of(items.begin(), items.end(),
                     [&](JsonTree::Index item) { return read_header_item(tree, item, out); });
}

std::chrono::microseconds duration_of(double milliseconds) {
  constexpr double week = 7 * 24 * 3600 * 1000.0;
  return std::chrono::microseconds{std::llround(std::clamp(milliseconds, 0.0, week) * 1000)};
}

}  // namespace onceproxy::backtest
