#include "config/indentation.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

namespace onceproxy::config {
namespace {

/// A list or map that is open: where its entries begin.
struct Level {
  std::size_t column;
  bool list;
  std::size_t line;
};

constexpr std::string_view dash = "- ";

bool is_item(std::string_view text) {
  return text == "-" || text.starts_with(dash);
}

/// Neither empty nor a comment nor a mark of a document.
bool counts(std::string_view line, std::size_t column) {
  return column != std::string_view::npos && line[column] != '#' && !line.starts_with("---");
}

/// Whether `key: value` has its value on the line, so that nothing can be indented below it.
bool has_value(std::string_view text) {
  const std::size_t colon = text.find(": ");
  if (colon == std::string_view::npos) return false;
  const std::size_t value = text.find_first_not_of(' ', colon + 1);
  if (value == std::string_view::npos || text[value] == '#') return false;
  // A block scalar, an anchor: what follows may be below.
  return std::string_view("|>&!").find(text[value]) == std::string_view::npos;
}

/// Opens what the line at `column` begins: `- - key:` is two lists and a map.
void open(std::string_view line, std::size_t column, std::size_t number,
          std::vector<Level>& levels) {
  while (column != std::string_view::npos && column < line.size()) {
    const bool list = is_item(line.substr(column));
    const auto same = std::ranges::find_if(
        levels, [&](const Level& level) { return level.column == column && level.list == list; });
    if (same == levels.end()) levels.push_back({column, list, number});
    if (!list) return;
    column = line.find_first_not_of(' ', column + 1);
  }
}

void close_beyond(std::size_t column, std::vector<Level>& levels) {
  std::erase_if(levels, [&](const Level& level) { return level.column > column; });
}

/// A key in the column of a list's items is the next of the map around the list.
void end_list_at(std::size_t column, std::vector<Level>& levels) {
  std::erase_if(levels, [&](const Level& level) { return level.column == column && level.list; });
}

std::string spaces(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " space" : " spaces");
}

std::string columns_of(const std::vector<Level>& levels) {
  std::vector<std::size_t> columns;
  for (const Level& level : levels) {
    if (std::ranges::find(columns, level.column) == columns.end()) columns.push_back(level.column);
  }
  std::string out;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) out += i + 1 == columns.size() ? " or " : ", ";
    out += std::to_string(columns[i]);
  }
  return out;
}

/// The last line before `number` that says something; 0 when there is none.
std::size_t line_before(const Reading& reading, std::size_t number) {
  while (--number > 0) {
    const std::string_view line = reading.line(number);
    if (counts(line, line.find_first_not_of(' '))) return number;
  }
  return 0;
}

}  // namespace

std::optional<std::string> wrong_indentation(const Reading& reading, std::size_t number) {
  std::vector<Level> levels;
  for (std::size_t i = 1; i < number; ++i) {
    const std::string_view line = reading.line(i);
    const std::size_t column = line.find_first_not_of(' ');
    if (!counts(line, column)) continue;
    close_beyond(column, levels);
    if (!is_item(line.substr(column))) end_list_at(column, levels);
    open(line, column, i, levels);
  }
  const std::string_view line = reading.line(number);
  const std::size_t column = line.find_first_not_of(' ');
  if (!counts(line, column) || levels.empty()) return std::nullopt;
  const std::size_t before = line_before(reading, number);
  const std::string_view above = reading.line(before);
  const std::size_t deepest = levels.back().column;
  const std::string begins = "the indentation is wrong: this line is indented by " + spaces(column);
  if (column > deepest) {
    if (!has_value(above.substr(above.find_first_not_of(' ')))) return std::nullopt;
    return begins + ", but the entry above it by " + spaces(deepest) +
           "; all keys of a map begin in the same column";
  }
  const auto fits = [&](bool list) {
    return std::ranges::any_of(
        levels, [&](const Level& level) { return level.column == column && level.list == list; });
  };
  const bool item = is_item(line.substr(column));
  if (!fits(true) && !fits(false)) {
    return begins + ", but the maps and lists above it by " + columns_of(levels);
  }
  if (!item && !fits(false)) {
    return begins + ", like the - of the list above it; the keys of an item are indented " +
           "further than its -";
  }
  if (item && !fits(true)) {
    return begins + ", like the keys of the map above it; an item of a list begins in the " +
           "column of the other items";
  }
  return std::nullopt;
}

}  // namespace onceproxy::config
