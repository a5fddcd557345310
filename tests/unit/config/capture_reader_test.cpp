#include "config/capture_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

TEST_CASE("Requests are captured where a file is named, with secrets redacted") {
  CHECK(!loaded("").log.capture);
  const auto capture = loaded("log: {capture: {path: /tmp/c.jsonl}}\n").log.capture;
  REQUIRE(capture);
  CHECK(*capture == telemetry::CaptureOptions{
                        "/tmp/c.jsonl", 1.0, std::uint64_t{1} << 30, {"authorization", "cookie"}});
  const auto other = loaded(
                         "log: {capture: {path: c, sample: 0.5, max_bytes: 1MiB, "
                         "redact: [X-Token]}}\n")
                         .log.capture;
  CHECK(*other == telemetry::CaptureOptions{"c", 0.5, std::uint64_t{1} << 20, {"x-token"}});
}

TEST_CASE("A capture that cannot be meant is refused") {
  CHECK(problems("log: {capture: {}}\n") == Texts{"log.capture: `path` is missing"});
  CHECK(problems("log: {capture: a}\n") ==
        Texts{"log.capture: expected a map, found \"a\"; did you mean {path: a}?"});
  CHECK(problems("log: {capture: {path: /tmp/}}\n") ==
        Texts{"log.capture.path: \"/tmp/\" is not a file"});
  CHECK(problems("log: {capture: {path: a, sample: 2}}\n") ==
        Texts{"log.capture.sample: expected a number from 0 to 1, found \"2\""});
  CHECK(problems("log: {capture: {path: a, redact: [\"a b\"]}}\n") ==
        Texts{"log.capture.redact[0]: \"a b\" is not a valid header name"});
  CHECK(problems("log: {capture: {path: a, max_bytes: 1KiB}}\n").size() == 1);
}

}  // namespace
}  // namespace onceproxy::config
