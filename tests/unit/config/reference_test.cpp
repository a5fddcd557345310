#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <sstream>

#include "config/load.hpp"
#include "config/reference_types.hpp"
#include "config/scalars.hpp"

namespace onceproxy::config {
namespace {

std::string read(const char* path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST_CASE("config/REFERENCE.md is what `onceproxy schema --format markdown` prints") {
  // After a change of a table: onceproxy schema --format markdown > config/REFERENCE.md
  const std::vector<std::string> file = lines_of(read(REFERENCE_FILE));
  const std::vector<std::string> now = lines_of(reference());
  for (std::size_t i = 0; i < std::min(file.size(), now.size()); ++i) {
    INFO("config/REFERENCE.md is stale from line " << i + 1);
    REQUIRE(file[i] == now[i]);
  }
  CHECK(file.size() == now.size());
}

TEST_CASE("every link of the reference leads to a heading, and no two headings are one") {
  std::set<std::string> anchors;
  for (const std::string& line : lines_of(reference())) {
    if (!line.starts_with("#")) continue;
    const std::string heading = line.substr(line.find(' ') + 1);
    INFO(heading);
    CHECK(anchors.insert(anchor_of(heading)).second);
  }
  const std::string text = reference();
  std::size_t links = 0;
  for (std::size_t at = text.find("](#"); at != std::string::npos; at = text.find("](#", at + 1)) {
    const std::string anchor = text.substr(at + 3, text.find(')', at) - at - 3);
    INFO(anchor);
    CHECK(anchors.contains(anchor));
    ++links;
  }
  CHECK(links > 200);
}

TEST_CASE("the reference tells syntax, type, unit, default and version of a key") {
  CHECK(reference().find("### upstream.connect_timeout\n\n"
                         "| Syntax | `connect_timeout: duration` |\n|---|---|\n"
                         "| Type | [duration](#duration), from 1ms to 24h |\n"
                         "| Unit | `ms`, `s`, `m`, `h` or `d`, always written |\n"
                         "| Default | `1s` |\n"
                         "| Since | 0.1.0 |\n\n"
                         "How long connecting may take") != std::string::npos);
}

TEST_CASE("a key may have come with a later version, whatever its kind says beside") {
  const auto described = [](Kind<milliseconds> kind) {
    struct Owner {
      milliseconds value{};
    };
    return since("0.7.0", key<Owner>("new", &Owner::value, std::move(kind), "A new key.")).schema();
  };
  CHECK(comments_of(described(duration(milliseconds(1), milliseconds(60'000)))) ==
        std::vector<std::string>{"from 1ms to 1m", "since 0.7.0"});
  CHECK(comments_of(described(duration_or_zero(milliseconds(1)))) ==
        std::vector<std::string>{"since 0.7.0"});
}

TEST_CASE("values are written as YAML has them on one line") {
  CHECK(flow_yaml(JsonArray({"POST", 5, true})) == "[POST, 5, true]");
  CHECK(flow_yaml(JsonObject({{"status", 200}, {"body", R"({"a":1})"}})) ==
        R"({status: 200, body: '{"a":1}'})");
}

TEST_CASE("syntax and type leave out that a scalar may hold a variable") {
  const Json number = integer(1, 5).schema();
  CHECK(syntax_of(number) == "number");
  CHECK(type_of(number) == "whole number from 1 to 5");
  const Json words = word<int>({{"all", 1}, {"none", 2}}).schema();
  CHECK(syntax_of(words) == "all | none");
  CHECK(type_of(words) == "`all` or `none`");
  CHECK(type_of(text("a header name").schema()) == "[text](#text): a header name");
}

}  // namespace
}  // namespace onceproxy::config
