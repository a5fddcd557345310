#include "policies/outcome.hpp"

#include <catch2/catch.hpp>

#include "request.hpp"

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

TEST_CASE("of two rules of the same rank, the one that completes wins") {
  OutcomeRules rules;
  rules.release.add(500);
  rules.ambiguous.add(500);
  rules.release.add_class(4);
  rules.ambiguous.add_class(4);
  CHECK(classify(rules, 500) == Verdict::ambiguous);
  CHECK(classify(rules, 404) == Verdict::ambiguous);
}

namespace {

using test::selector;

Condition body_is_there(const std::string& pointer, bool there) {
  return {selector(Source::body, pointer), {}, nullptr, there};
}

/// A failure without a result is released, one that the header owns up to is complete.
OutcomeRules rules_of_errors() {
  OutcomeRules rules;
  rules.release.add_class(5);
  rules.rules = {
      {{body_is_there("/errors", true), body_is_there("/data", false)}, Verdict::release},
      {{{selector(Source::header, "x-done"), {"1"}, nullptr}}, Verdict::complete},
      {{{selector(Source::status), {"418"}, nullptr}}, Verdict::ambiguous}};
  return rules;
}

Classified classified(const AnswerView& answer) {
  return classify(rules_of_errors(), answer, 1000);
}

}  // namespace

TEST_CASE("the first rule that applies decides, before the status") {
  const std::vector<Field> json{{"Content-Type", "application/json"}};
  const std::vector<Field> done{{"x-done", "1"}};
  const auto by_errors = classified({200, json, R"({"errors":[]})"});
  CHECK(by_errors.verdict == Verdict::release);
  CHECK(by_errors.rule == 0);
  CHECK(classified({200, json, R"({"errors":[],"data":null})"}).verdict == Verdict::complete);
  CHECK_FALSE(classified({200, json, R"({"errors":[],"data":null})"}).rule);
  CHECK(classified({503, done, ""}).verdict == Verdict::complete);
  CHECK(classified({503, done, R"({"errors":[]})"}).rule == 0);
  CHECK(classified({418, {}, ""}).verdict == Verdict::ambiguous);
  CHECK(classified({503, {}, "busy"}).verdict == Verdict::release);
  CHECK(classified({503, {}, "busy"}).unreadable.empty());
}

TEST_CASE("where a rule cannot be asked, what would release is ambiguous") {
  const std::vector<Field> brotli{{"content-encoding", "br"}};
  const std::vector<Field> done{{"x-done", "1"}};
  const AnswerView unclear[] = {
      {503, {}, R"({"errors":[)", true}, {503, {}, "", false}, {503, brotli, "x", true}};
  for (const AnswerView& answer : unclear) {
    const auto says = classified(answer);
    CHECK(says.verdict == Verdict::ambiguous);
    CHECK_FALSE(says.rule);
    CHECK(says.unreadable.starts_with("The body "));
  }
  CHECK(classified({200, {}, "", false}).verdict == Verdict::complete);
  CHECK(classified({503, done, "", false}).verdict == Verdict::complete);
  // A body that no rule reads does not affect what the status means.
  OutcomeRules by_status;
  by_status.release.add(503);
  CHECK(classify(by_status, {503, {}, "", false}, 1000).verdict == Verdict::release);
}

TEST_CASE("a later rule that releases is as doubtful as a status") {
  OutcomeRules rules;
  rules.rules = {{{body_is_there("/done", true)}, Verdict::complete},
                 {{{selector(Source::status), {"200"}, nullptr}}, Verdict::release}};
  CHECK(classify(rules, {200, {}, "{}", true}, 1000).verdict == Verdict::release);
  CHECK(classify(rules, {200, {}, "{", true}, 1000).verdict == Verdict::ambiguous);
}
