#include "proxy/cli/records_text.hpp"

#include <algorithm>
#include <array>
#include <ostream>
#include <utility>

#include "proxy/telemetry/json_text.hpp"

namespace onceproxy::cli {
namespace {

using policies::JsonTree;

constexpr std::size_t rows_max = 1'000;

/// A scalar as a person reads it: control characters escaped, so that a request id moves no cursor.
std::string plain_text(const JsonTree& tree, JsonTree::Index value) {
  std::string out;
  telemetry::append_escaped(out, tree.text(value));
  return out;
}

std::string field(const JsonTree& tree, JsonTree::Index record, std::string_view name) {
  const JsonTree::Index* value = tree.member(record, name);
  return value == nullptr ? "" : plain_text(tree, *value);
}

/// To the second: "2026-01-02 03:04:05".
std::string short_time(std::string time) {
  if (time.size() < 19) return time;
  time.resize(19);
  time[10] = ' ';
  return time;
}

struct Column {
  std::string_view title;
  std::string (*text)(const JsonTree&, JsonTree::Index);
};

std::string state_text(const JsonTree& tree, JsonTree::Index record) {
  const bool held = field(tree, record, "held") == "true";
  return field(tree, record, "state") + (held ? " (held)" : "");
}

std::string outcome_text(const JsonTree& tree, JsonTree::Index record) {
  const std::string status = field(tree, record, "status");
  return status.empty() ? field(tree, record, "error") : status;
}

constexpr std::array<Column, 8> columns{{
    {"FINGERPRINT",
     [](const JsonTree& t, JsonTree::Index r) { return field(t, r, "fingerprint"); }},
    {"STATE", state_text},
    {"POLICY", [](const JsonTree& t, JsonTree::Index r) { return field(t, r, "policy"); }},
    {"CREATED",
     [](const JsonTree& t, JsonTree::Index r) { return short_time(field(t, r, "created")); }},
    {"EXPIRES",
     [](const JsonTree& t, JsonTree::Index r) { return short_time(field(t, r, "expires")); }},
    {"ATTEMPTS", [](const JsonTree& t, JsonTree::Index r) { return field(t, r, "attempts"); }},
    {"DUPLICATES", [](const JsonTree& t, JsonTree::Index r) { return field(t, r, "duplicates"); }},
    {"OUTCOME", outcome_text},
}};

/// The order that an operator reads a record in.
constexpr std::array<std::string_view, 14> field_order{
    "fingerprint", "policy", "state",  "held",       "created", "lease_ends", "expires",
    "attempts",    "fence",  "status", "request_id", "error",   "duplicates", "last_duplicate"};

std::size_t place(std::string_view name) {
  return static_cast<std::size_t>(std::ranges::find(field_order, name) - field_order.begin());
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

void print_fields(const JsonTree& tree, JsonTree::Index record, std::ostream& out) {
  if (tree.kind(record) != JsonTree::Kind::object) return;
  const auto children = tree.children(record);
  std::vector<JsonTree::Index> members(children.begin(), children.end());
  std::ranges::stable_sort(members, {}, [&](JsonTree::Index m) { return place(tree.name(m)); });
  for (const JsonTree::Index member : members) {
    std::string name(tree.name(member));
    std::ranges::replace(name, '_', ' ');
    name.resize(std::max<std::size_t>(name.size(), 16), ' ');
    out << name << plain_text(tree, member) << "\n";
  }
}

void RecordTable::add(const JsonTree& tree, JsonTree::Index record) {
  std::vector<std::string> row;
  for (const Column& column : columns) row.push_back(column.text(tree, record));
  rows_.push_back(std::move(row));
  if (rows_.size() == rows_max) print();
}

void RecordTable::print() {
  std::array<std::size_t, columns.size()> widths{};
  for (std::size_t i = 0; i < columns.size(); ++i) {
    widths[i] = columns[i].title.size();
    for (const auto& row : rows_) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto line = [&](auto cell) {
    std::string text;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      std::string value(cell(i));
      value.resize(std::max(value.size(), widths[i]) + 2, ' ');
      text += value;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out_ << text << "\n";
  };
  if (!printed_any_) line([](std::size_t i) { return columns[i].title; });
  for (const auto& row : rows_) line([&](std::size_t i) { return row[i]; });
  rows_.clear();
  printed_any_ = true;
}

void RecordTable::finish() {
  if (!rows_.empty()) print();
  if (!printed_any_) out_ << "No records.\n";
}

std::string_view done_word(std::string_view action) {
  if (action == "release") return "released";
  return action == "resolve" ? "resolved" : "forgotten";
}

std::string why_forbidden(std::string_view action, const JsonTree& record) {
  const std::string state = field(record, 0, "state");
  const bool held = field(record, 0, "held") == "true";
  if (action == "release" && state == "completed") {
    return "only a reserved or an unknown record can be released, and this one is completed";
  }
  if (action == "resolve" && state != "unknown") {
    return "only an unknown record can be resolved, and this one is " + state;
  }
  if (action == "forget" && held) return "a request holds the record; release it first";
  return "";
}

}  // namespace onceproxy::cli
