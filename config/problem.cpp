#include "config/load.hpp"
#include "config/text.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::config {

std::string Problem::text() const {
  std::string out = file;
  if (line > 0) out += ':' + std::to_string(line) + ':' + std::to_string(column);
  out += ": ";
  if (!path.empty()) out += path + ": ";
  out += message;
  if (source.empty() || column == 0) return out;
  out += "\n  " + source + "\n  ";
  // Tabs stay tabs, so that the caret stands under its column however wide the terminal shows
  // them; every other code point is taken to be one cell wide.
  std::size_t i = 0;
  for (std::size_t at = 1; at < column; ++at) {
    const bool tab = i < source.size() && source[i] == '\t';
    out += tab ? '\t' : ' ';
    if (i < source.size()) {
      const std::size_t length = utf8_length(std::string_view(source).substr(i));
      i += length == 0 ? 1 : length;
    }
  }
  return out + '^';
}

telemetry::Json json_of(const std::vector<Problem>& problems) {
  telemetry::JsonArray out;
  for (const Problem& problem : problems) {
    out.push_back(telemetry::JsonObject({{"file", problem.file},
                                         {"line", std::uint64_t{problem.line}},
                                         {"column", std::uint64_t{problem.column}},
                                         {"path", problem.path},
                                         {"message", problem.message}}));
  }
  return out;
}

}  // namespace onceproxy::config
