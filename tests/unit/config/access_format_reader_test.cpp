#include "config/access_format_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

TEST_CASE("The access log has its own format unless one is given") {
  CHECK(loaded("").log.access_format == nullptr);
}

TEST_CASE("An access format is a text, or a map that becomes JSON") {
  const auto text = loaded("log: {access_format: \"%PROTOCOL% %RESPONSE_CODE%\"}\n").log;
  REQUIRE(text.access_format);
  CHECK_FALSE(text.access_format->is_json());
  CHECK(text.access_format->line().size() == 3);
  const auto block = loaded("log:\n  access_format: |\n    %DURATION%\n").log;
  CHECK(block.access_format->line().size() == 1);
  const auto map =
      loaded("log: {access_format: {code: \"%RESPONSE_CODE%\", a: {b: x}, n: 1}}\n").log;
  REQUIRE(map.access_format->is_json());
  REQUIRE(map.access_format->json().size() == 4);
  CHECK(map.access_format->json()[0].before == "{\"code\":");
  CHECK(map.access_format->json()[1].before == ",\"a\":{\"b\":");
  CHECK(map.access_format->json()[2].before == "},\"n\":");
  CHECK(map.access_format->json()[3].before == "}");
}

TEST_CASE("What is wrong with an access format is told at its place") {
  CHECK(problems("log: {access_format: \"ä %DURATIN%\"}\n") ==
        Texts{"log.access_format: at character 3: %DURATIN% cannot be used: did you mean "
              "%DURATION%?"});
  CHECK(problems("log: {access_format: {a: x, b: {c: \"%X\", d: \"%REQ%\"}}}\n") ==
        Texts{"log.access_format.b.c: at character 1: this % begins no operator; one is written "
              "%NAME%, %NAME(ARGUMENT)% or %NAME(ARGUMENT):LENGTH%, and a percent sign itself %%",
              "log.access_format.b.d: at character 1: REQ needs the name of a header: "
              "%REQ(X-NAME)%"});
  CHECK(problems("log: {access_format: {}}\n") == Texts{"log.access_format: the map is empty"});
  CHECK(problems("log: {access_format: \"\"}\n") ==
        Texts{"log.access_format: at character 1: the format is empty"});
  CHECK(problems("log: {access_format: [a]}\n").size() == 1);
  CHECK(problems("log: {access_format: {a: [b]}}\n").size() == 1);
  std::string deep = "x";
  for (int i = 0; i < 9; ++i) deep = "{a: " + deep + "}";
  CHECK(problems("log: {access_format: " + deep + "}\n").size() == 1);
}

}  // namespace
}  // namespace onceproxy::config
