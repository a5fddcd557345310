#include "proxy/gate/decision.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace onceproxy;
using gate::Decision;

TEST_CASE("a refusal's decision has the refusal's word") {
  for (std::size_t i = 0; i < policies::refusal_count; ++i) {
    const auto refusal = static_cast<policies::Refusal>(i);
    CHECK(name(gate::decision_of(refusal)) == policies::standard(refusal).word);
  }
  CHECK(name(Decision::in_flight) == "in-flight");
  CHECK(name(Decision::upstream_error) == "upstream-error");
  CHECK(name(Decision::bad_request) == "bad-request");
}

TEST_CASE("no two decisions have one word") {
  std::set<std::string_view> words;
  for (std::size_t i = 0; i < gate::decision_count; ++i) {
    const std::string_view word = name(static_cast<Decision>(i));
    CHECK_FALSE(word.empty());
    CHECK(words.insert(word).second);
  }
  CHECK(words.contains("passed"));
  CHECK(words.contains("preflight"));
}
