// Reads the text exposition format strictly enough to notice what a scraper would refuse.
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace onceproxy::telemetry {

/// The value of a label, as it is written.
inline std::string quoted(const std::string& text) {
  return '"' + text + '"';
}

struct Exposition {
  /// "name{label="value",…}" to its value.
  std::map<std::string, double> samples;
  /// Family name to its type.
  std::map<std::string, std::string> types;

  explicit Exposition(const std::string& text) {
    static const std::regex sample(
        R"re(([a-z_][a-z0-9_]*)(\{([a-z_]+="([^"\\]|\\.)*",?)*\})? (\S+))re");
    std::istringstream lines(text);
    std::string line;
    while (std::getline(lines, line)) {
      if (line.starts_with("# HELP ")) continue;
      if (line.starts_with("# TYPE ")) {
        std::istringstream words(line.substr(7));
        std::string family, type;
        words >> family >> type;
        INFO(line);
        CHECK(types.emplace(family, type).second);
        continue;
      }
      std::smatch match;
      INFO(line);
      REQUIRE(std::regex_match(line, match, sample));
      CHECK(samples.emplace(match[1].str() + match[2].str(), std::stod(match[5])).second);
    }
  }

  std::optional<double> at(const std::string& name) const {
    const auto found = samples.find(name);
    return found == samples.end() ? std::nullopt : std::optional(found->second);
  }

  bool mentions(const std::string& text) const {
    for (const auto& [name, value] : samples)
      if (name.find(text) != std::string::npos) return true;
    return false;
  }
};

}  // namespace onceproxy::telemetry
