#include "loading.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::config {
namespace {

TEST_CASE("A problem is its place, its path, its message, the line and a caret") {
  Problem problem{"a.yaml", 12, 5, "log.level", "is wrong", "log: x"};
  CHECK(problem.text() == "a.yaml:12:5: log.level: is wrong\n  log: x\n      ^");
  problem.path.clear();
  CHECK(problem.text() == "a.yaml:12:5: is wrong\n  log: x\n      ^");
  CHECK(Problem{"a.yaml", 0, 0, "", "the file is empty", ""}.text() == "a.yaml: the file is empty");
}

TEST_CASE("The caret stands under its column behind tabs and letters of several bytes") {
  CHECK(Problem{"f", 1, 3, "", "m", "\t\xc3\xa9x"}.text() == "f:1:3: m\n  \t\xc3\xa9x\n  \t ^");
  CHECK(Problem{"f", 1, 5, "", "m", "ab"}.text() == "f:1:5: m\n  ab\n      ^");
}

TEST_CASE("Problems are told to programs with the same words") {
  CHECK(telemetry::json_text(json_of({{"a.yaml", 12, 5, "log.level", "is \"x\"", "log: x"},
                                      {"a.yaml", 0, 0, "", "m", ""}})) ==
        R"([{"file":"a.yaml","line":12,"column":5,"path":"log.level","message":"is \"x\""},)"
        R"({"file":"a.yaml","line":0,"column":0,"path":"","message":"m"}])");
}

TEST_CASE("A column counts letters, not bytes") {
  const auto result =
      load(head + "log: {\"\xc3\xa9\xc3\xa9\": 1, level: x}\n", "f.yaml", environment_of());
  REQUIRE(!result);
  REQUIRE(result.error().size() == 2);
  CHECK(result.error()[1].column == 23);
}

TEST_CASE("A line that no terminal shows is left out") {
  const auto result =
      load(head + "workers: " + std::string(2000, 'x') + "\n", "f.yaml", environment_of());
  REQUIRE(!result);
  CHECK(result.error()[0].source.empty());
  CHECK(result.error()[0].text() ==
        "f.yaml:3:10: workers: expected a whole number, found \"" + std::string(60, 'x') + "…\"");
}

}  // namespace
}  // namespace onceproxy::config
