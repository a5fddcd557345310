#include "policies/outcome.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::policies;

TEST_CASE("a status named nowhere completes") {
  for (const int status : {200, 201, 204, 302, 400, 404, 409, 500, 599}) {
    CHECK(classify({}, status) == Verdict::complete);
  }
}

TEST_CASE("a single status wins over a class, in either list") {
  OutcomeRules defaults;
  for (const int status : {408, 425, 429}) defaults.release.add(status);
  defaults.release.add_class(5);
  defaults.ambiguous.add(502);
  defaults.ambiguous.add(504);
  OutcomeRules other;
  other.ambiguous.add_class(5);
  other.release.add(503);
  struct Case {
    const OutcomeRules& rules;
    int status;
    Verdict verdict;
  };
  const Case cases[] = {
      {defaults, 200, Verdict::complete}, {defaults, 400, Verdict::complete},
      {defaults, 408, Verdict::release},  {defaults, 429, Verdict::release},
      {defaults, 500, Verdict::release},  {defaults, 502, Verdict::ambiguous},
      {defaults, 503, Verdict::release},  {defaults, 504, Verdict::ambiguous},
      {defaults, 599, Verdict::release},  {other, 503, Verdict::release},
      {other, 500, Verdict::ambiguous},   {other, 404, Verdict::complete},
  };
  for (const Case& c : cases) {
    INFO(c.status);
    CHECK(classify(c.rules, c.status) == c.verdict);
  }
}

TEST_CASE("of two rules of one rank the one that keeps the key wins") {
  OutcomeRules rules;
  rules.release.add(500);
  rules.ambiguous.add(500);
  rules.release.add_class(4);
  rules.ambiguous.add_class(4);
  CHECK(classify(rules, 500) == Verdict::ambiguous);
  CHECK(classify(rules, 404) == Verdict::ambiguous);
}
