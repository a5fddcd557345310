// The field lines of an answer that onceproxy makes: "name: value\r\n" each, concatenated in one
// text. Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "policies/ascii.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::gate {

/// Calls each(field, line) for every line; `line` includes its CR LF.
template <typename Each>
void for_each_line(std::string_view head, Each each) {
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end == head.npos ? head.size() : end + 2);
    head.remove_prefix(line.size());
    const std::size_t colon = line.find(':');
    if (colon == line.npos) continue;
    const std::string_view value =
        policies::trimmed(line.substr(colon + 1, end - colon - 1), policies::optional_space);
    each(policies::Field{line.substr(0, colon), value}, line);
  }
}

/// Removes the lines for which drop(field) is true.
template <typename Drop>
void drop_lines(std::string& head, Drop drop) {
  std::string kept;
  kept.reserve(head.size());
  for_each_line(head, [&](const policies::Field& field, std::string_view line) {
    if (!drop(field)) kept += line;
  });
  head = std::move(kept);
}

/// Whether there is a line with that name.
bool has_line(std::string_view head, std::string_view name);

/// Whether Vary (RFC 9110 12.5.5) contains that field of the request.
bool varies_by(std::string_view head, std::string_view name);

}  // namespace onceproxy::gate
