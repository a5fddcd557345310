#include "config/fixed_answer.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

policies::FixedAnswer answer(const std::string& yaml) {
  const auto policy = loaded_policy("on_duplicate: " + yaml);
  REQUIRE(policy.on_duplicate);
  return *policy.on_duplicate;
}

Texts wrong(const std::string& yaml) {
  return policy_problems("on_duplicate: " + yaml);
}

TEST_CASE("A fixed answer without a body has the default one") {
  for (const char* yaml : {"{}", "{status: 200}"}) {
    CHECK(answer(yaml).status == 200);
    CHECK(answer(yaml).body == R"({"status":"suppressed","reason":"duplicate"})");
    CHECK(answer(yaml).headers == Headers{{"content-type", "application/json"}});
  }
  CHECK(answer("{headers: {X-A: b}}").headers ==
        Headers{{"X-A", "b"}, {"content-type", "application/json"}});
  CHECK(answer("{headers: {Content-Type: application/problem+json}}").headers ==
        Headers{{"Content-Type", "application/problem+json"}});
}

TEST_CASE("A fixed answer with a body is as it is written") {
  const auto fixed = answer("{status: 202, headers: {content-type: text/plain}, body: \"ok\\n\"}");
  CHECK(fixed.status == 202);
  CHECK(fixed.body == "ok\n");
  CHECK(fixed.headers == Headers{{"content-type", "text/plain"}});
  CHECK(answer("{body: \"\"}").body.empty());
  CHECK(answer("{body: \"\"}").headers.empty());
}

TEST_CASE("204 and 205 have no body") {
  CHECK(answer("{status: 204}").body.empty());
  CHECK(answer("{status: 204}").headers.empty());
  CHECK(wrong("{status: 204, body: x}") ==
        Texts{"on_duplicate.body: an answer with status 204 has no body; leave it out"});
  CHECK(wrong("{status: 205, body: x}").size() == 1);
}

TEST_CASE("A status that answers nothing is refused") {
  CHECK(wrong("{status: 100}") ==
        Texts{"on_duplicate.status: 100 is an interim status, not that of an answer; use 200 to "
              "599"});
  CHECK(wrong("{status: 304}") ==
        Texts{"on_duplicate.status: 304 is only for conditional requests; use 200 or 204"});
  CHECK(wrong("{status: 600}") ==
        Texts{"on_duplicate.status: must be from 100 to 599, found \"600\""});
  CHECK(wrong("ignore") ==
        Texts{"on_duplicate: expected `replay` or a map of status, headers and body, found "
              "\"ignore\""});
}

TEST_CASE("A header value cannot split the answer") {
  CHECK(wrong("{headers: {x: \"a\\r\\nset-cookie: b\"}}") ==
        Texts{"on_duplicate.headers.x: \"a\\r\\nset-cookie: b\" has a control character"});
  CHECK(wrong("{headers: {x: \"a\\nb\"}}") ==
        Texts{"on_duplicate.headers.x: \"a\\nb\" has a control character, which no header value "
              "may"});
  CHECK(
      wrong("{headers: {x: \"caf\xc3\xa9\"}}") ==
      Texts{"on_duplicate.headers.x: \"caf\xc3\xa9\" is not ASCII, which a header value must be"});
  CHECK(wrong("{headers: {x: \" a\"}}") ==
        Texts{"on_duplicate.headers.x: \" a\" has white space around it"});
  CHECK(wrong("{headers: {\"a\\r\\nb\": c}}").size() == 1);
}

TEST_CASE("Fields that onceproxy writes itself are refused") {
  for (const std::string name : {"Content-Length", "transfer-encoding", "Connection", "upgrade",
                                 "trailer", "Onceproxy-Decision", "Idempotent-Replayed"}) {
    CHECK(wrong("{headers: {" + name + ": x}}") ==
          Texts{"on_duplicate.headers." + name + ": \"" + name +
                "\" is written by onceproxy itself; leave it out"});
  }
  CHECK(wrong("{headers: {a: x, A: y}}") ==
        Texts{"on_duplicate.headers.A: `a` and `A` are one header"});
}

}  // namespace
}  // namespace onceproxy::config
