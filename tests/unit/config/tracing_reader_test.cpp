#include "config/tracing_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

telemetry::TracingOptions tracing_of(const std::string& keys, const Variables& variables = {}) {
  const Settings settings = loaded("tracing: {endpoint: \"http://a\"" + keys + "}", variables);
  REQUIRE(settings.tracing);
  return *settings.tracing;
}

TEST_CASE("Tracing is off where it is left out, and has defaults where it is not") {
  CHECK(!loaded("").tracing);
  const telemetry::TracingOptions tracing = tracing_of("");
  CHECK(tracing.endpoint == "http://a");
  CHECK(tracing.sample_ratio == 1.0);
  CHECK(tracing.service_name == "onceproxy");
}

TEST_CASE("Every key of tracing is read") {
  const Settings settings = loaded(
      "tracing:\n  endpoint: https://collector.example:4318/v1/traces\n"
      "  sample_ratio: 0.25\n  service_name: dispatch proxy\n");
  REQUIRE(settings.tracing);
  CHECK(settings.tracing->endpoint == "https://collector.example:4318/v1/traces");
  CHECK(settings.tracing->sample_ratio == 0.25);
  CHECK(settings.tracing->service_name == "dispatch proxy");
}

TEST_CASE("A ratio is a number from 0 to 1") {
  CHECK(tracing_of(", sample_ratio: 0").sample_ratio == 0);
  CHECK(tracing_of(", sample_ratio: 1").sample_ratio == 1);
  CHECK(tracing_of(", sample_ratio: 0.001").sample_ratio == 0.001);
  CHECK(tracing_of(", sample_ratio: \"${R}\"", {{"R", "0.5"}}).sample_ratio == 0.5);
  for (const std::string bad : {"1.01", "-0.1", "nan", "inf", ".nan", "1e-3", "10%", "0x1", "half",
                                "\"0.5\"", "[1]", "\"\""}) {
    CAPTURE(bad);
    const Texts found = problems("tracing: {endpoint: \"http://a\", sample_ratio: " + bad + "}");
    REQUIRE(found.size() == 1);
    CHECK(found[0].starts_with("tracing.sample_ratio: expected a number from 0 to 1, found "));
  }
}

TEST_CASE("An endpoint is a whole URL without a user") {
  for (const std::string good :
       {"http://a", "https://a:1", "http://[::1]:4318/v1/traces", "https://a/x?y=z"}) {
    CAPTURE(good);
    CHECK(problems("tracing: {endpoint: \"" + good + "\"}") == Texts{});
  }
  for (const std::string bad : {"", "127.0.0.1:4318", "grpc://a", "http://", "http:///v1/traces",
                                "http://:4318", "HTTP//a", "http://a b", "http://caf\xc3\xa9"}) {
    CAPTURE(bad);
    CHECK(problems("tracing: {endpoint: \"" + bad + "\"}") ==
          Texts{"tracing.endpoint: \"" + bad +
                "\" is not an http or https URL such as http://127.0.0.1:4318/v1/traces"});
  }
  CHECK(problems("tracing: {endpoint: \"http://me:secret@a/\"}") ==
        Texts{"tracing.endpoint: \"http://me:secret@a/\" names a user: it would show in logs; let "
              "a collector beside onceproxy sign in"});
}

TEST_CASE("Missing and unknown keys of tracing are reported") {
  CHECK(problems("tracing: {}") == Texts{"tracing: `endpoint` is missing"});
  CHECK(problems("tracing: {endpoint: \"http://a\", service_name: \"\"}") ==
        Texts{"tracing.service_name: \"\" is not a valid name; it has 1 to 255 bytes"});
  CHECK(problems("tracing: {endpoint: \"http://a\", sample_rate: 1}") ==
        Texts{"tracing.sample_rate: unknown key \"sample_rate\"; did you mean \"sample_ratio\"?"});
}

}  // namespace
}  // namespace onceproxy::config
