#include "config/answer_reader.hpp"
#include "loading.hpp"

namespace onceproxy::config {
namespace {

TEST_CASE("replay has limits, and lower-case names of fields") {
  const auto rules = loaded_policy("replay: {max_body: 1KiB, drop_headers: [X-A]}").replay;
  CHECK(rules.body_bytes_max == 1024);
  CHECK(rules.drop_headers == Texts{"x-a"});
  CHECK(loaded_policy("").replay.drop_headers == Texts{"set-cookie", "set-cookie2",
                                                       "www-authenticate", "authentication-info",
                                                       "clear-site-data"});
  CHECK(loaded_policy("replay: {drop_headers: []}").replay.drop_headers.empty());
  CHECK(policy_problems("replay: {drop_headers: [\"a b\", content-length]}") ==
        Texts{"replay.drop_headers[0]: \"a b\" is not a valid header name",
              "replay.drop_headers[1]: \"content-length\" is never stored, because onceproxy "
              "writes it itself; leave it out"});
}

TEST_CASE("Values of an answer that are the asking request's own are read in order") {
  const auto set =
      loaded_policy(
          "replay: {set: [{at: /id, from: {body: /id}}, {at: /a/0/b~1c, from: {header: "
          "x-a, default: n}}]}")
          .replay.set;
  REQUIRE(set.size() == 2);
  CHECK(set[0].at == Texts{"id"});
  CHECK(set[0].at_text == "/id");
  CHECK(set[0].from.text == "body: /id");
  CHECK(set[1].at == Texts{"a", "0", "b/c"});
  CHECK(set[1].from.default_value == "n");
  CHECK(loaded_policy("").replay.set.empty());
}

TEST_CASE("A place that is none, or several, is refused") {
  const auto wrong = [](const std::string& item) {
    return policy_problems("replay: {set: [" + item + "]}");
  };
  CHECK(wrong("{at: \"\", from: {body: /id}}") ==
        Texts{"replay.set[0].at: \"\" is the whole answer; name a value inside it, as /id"});
  CHECK(wrong("{at: /a/*/id, from: {body: /id}}") ==
        Texts{"replay.set[0].at: \"/a/*/id\" names several values; name one"});
  CHECK(wrong("{at: id, from: {body: /id}}").size() == 1);
  CHECK(wrong("{at: /id}") == Texts{"replay.set[0]: `from` is missing"});
  CHECK(wrong("{from: {body: /id}}") == Texts{"replay.set[0]: `at` is missing"});
  CHECK(wrong("{at: /id, from: {client_key: Idempotency-Key}}").size() == 1);
  CHECK(policy_problems("replay: {set: []}").size() == 1);
}

TEST_CASE("Selectors of replay.set follow the rules of all selectors") {
  const Texts found = policy_problems("replay: {set: [{at: /id, from: {path: ride}}]}");
  REQUIRE(found.size() == 1);
  CHECK(found[0].starts_with("replay.set[0].from.path: the path captures nothing"));
}

}  // namespace
}  // namespace onceproxy::config
