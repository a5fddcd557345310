#include "proxy/cli/table.hpp"

#include <algorithm>
#include <ostream>
#include <utility>

#include "proxy/telemetry/json_text.hpp"

namespace onceproxy::cli {
namespace {

using policies::JsonTree;

constexpr std::size_t rows_max = 1'000;

std::string plain_text(const JsonTree& tree, JsonTree::Index value) {
  std::string out;
  telemetry::append_escaped(out, tree.text(value));
  return out;
}

void append_json(const JsonTree& tree, JsonTree::Index value, std::string& out) {
  const JsonTree::Kind kind = tree.kind(value);
  if (kind == JsonTree::Kind::string) {
    telemetry::append_json_string(out, tree.text(value));
    return;
  }
  if (kind != JsonTree::Kind::array && kind != JsonTree::Kind::object) {
    out += tree.text(value);
    return;
  }
  const bool object = kind == JsonTree::Kind::object;
  out += object ? '{' : '[';
  bool first = true;
  for (const JsonTree::Index child : tree.children(value)) {
    if (!std::exchange(first, false)) out += ',';
    if (object) {
      telemetry::append_json_string(out, tree.name(child));
      out += ':';
    }
    append_json(tree, child, out);
  }
  out += object ? '}' : ']';
}

}  // namespace

std::string json_text(const JsonTree& tree, JsonTree::Index value) {
  std::string out;
  append_json(tree, value, out);
  return out;
}

std::string field_text(const JsonTree& tree, JsonTree::Index object, std::string_view name) {
  const JsonTree::Index* value = tree.member(object, name);
  return value == nullptr ? "" : plain_text(tree, *value);
}

std::string short_time(std::string time) {
  if (time.size() < 19) return time;
  time.resize(19);
  time[10] = ' ';
  return time;
}

std::string short_time_text(const JsonTree& tree, JsonTree::Index item, std::string_view field) {
  return short_time(field_text(tree, item, field));
}

void print_fields(const JsonTree& tree, JsonTree::Index object,
                  std::span<const std::string_view> order, std::ostream& out) {
  if (tree.kind(object) != JsonTree::Kind::object) return;
  const auto children = tree.children(object);
  std::vector<JsonTree::Index> members(children.begin(), children.end());
  std::ranges::stable_sort(members, {}, [&](JsonTree::Index member) {
    return std::ranges::find(order, tree.name(member)) - order.begin();
  });
  for (const JsonTree::Index member : members) {
    std::string name(tree.name(member));
    std::ranges::replace(name, '_', ' ');
    name.resize(std::max<std::size_t>(name.size(), 16), ' ');
    out << name << plain_text(tree, member) << "\n";
  }
}

void Table::add(const JsonTree& tree, JsonTree::Index item) {
  std::vector<std::string> row;
  for (const Column& column : columns_) {
    row.push_back((column.text != nullptr ? column.text : field_text)(tree, item, column.field));
  }
  rows_.push_back(std::move(row));
  if (rows_.size() == rows_max) print();
}

void Table::print() {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t& width = widths.emplace_back(columns_[i].title.size());
    for (const auto& row : rows_) width = std::max(width, row[i].size());
  }
  const auto line = [&](auto cell) {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      std::string value(cell(i));
      value.resize(std::max(value.size(), widths[i]) + 2, ' ');
      text += value;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out_ << text << "\n";
  };
  if (!printed_any_) line([this](std::size_t i) { return columns_[i].title; });
  for (const auto& row : rows_) line([&](std::size_t i) { return row[i]; });
  rows_.clear();
  printed_any_ = true;
}

void Table::finish() {
  if (!rows_.empty()) print();
  if (!printed_any_) out_ << nothing_ << "\n";
}

}  // namespace onceproxy::cli
