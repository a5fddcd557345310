#include "policies/outcome.hpp"

#include "config/answer_reader.hpp"
#include "loading.hpp"

namespace onceproxy::config {
namespace {

using policies::classify;
using policies::Verdict;

TEST_CASE("Statuses have the default meanings of config/REFERENCE.md") {
  const auto rules = loaded_policy("").outcome;
  for (const int status : {307, 308, 401, 407, 408, 412, 417, 421, 425, 428, 429, 500, 503, 599}) {
    CHECK(classify(rules, status) == Verdict::release);
  }
  for (const int status : {502, 504}) CHECK(classify(rules, status) == Verdict::ambiguous);
  for (const int status : {200, 301, 302, 303, 400, 403, 404, 409, 422}) {
    CHECK(classify(rules, status) == Verdict::complete);
  }
}

TEST_CASE("A list that is given replaces the default one") {
  const auto policy =
      loaded_policy("outcome: {release: [4xx], ambiguous: [5xx, 409], unknown: hold}");
  CHECK(classify(policy.outcome, 404) == Verdict::release);
  CHECK(classify(policy.outcome, 409) == Verdict::ambiguous);
  CHECK(classify(policy.outcome, 500) == Verdict::ambiguous);
  CHECK(policy.terms.unknown == store::OnUnknown::hold);
  CHECK(classify(loaded_policy("outcome: {release: []}").outcome, 500) == Verdict::complete);
  CHECK(loaded_policy("").terms.unknown == store::OnUnknown::retry);
}

TEST_CASE("Redirections that ask for the same request elsewhere can be named") {
  const auto policy = loaded_policy("outcome: {release: [308], ambiguous: [307]}");
  CHECK(classify(policy.outcome, 307) == Verdict::ambiguous);
  CHECK(classify(policy.outcome, 308) == Verdict::release);
}

TEST_CASE("A status that says the operation happened cannot be named") {
  for (const std::string status : {"200", "2xx", "301", "302", "303", "3xx", "1xx"}) {
    CHECK(policy_problems("outcome: {release: [" + status + "]}") ==
          Texts{"outcome.release[0]: \"" + status +
                "\" says that the operation happened: only 307, 308, 4xx and 5xx can be named "
                "here, and every status named nowhere completes"});
  }
  for (const std::string status : {"5", "50x", "5XX", "600", "9xx", "error", "'408'", "~"}) {
    CAPTURE(status);
    CHECK(policy_problems("outcome: {ambiguous: [" + status + "]}").size() == 1);
  }
  CHECK(policy_problems("outcome: {release: [error]}") ==
        Texts{"outcome.release[0]: expected a status such as 408 or a class such as 5xx, found "
              "\"error\""});
}

TEST_CASE("A status is released or ambiguous, not both") {
  CHECK(policy_problems("outcome: {release: [409, 5xx], ambiguous: [409, 502]}") ==
        Texts{"outcome.ambiguous[0]: `409` is in `release` too; a status is one or the other"});
  CHECK(policy_problems("outcome: {release: [5xx], ambiguous: [5xx]}").size() == 1);
  CHECK(policy_problems("outcome: {release: [502]}") ==
        Texts{"outcome.release[0]: `502` is in `ambiguous` too, by default; give `ambiguous` "
              "without it"});
  CHECK(policy_problems("outcome: {ambiguous: [5xx]}") ==
        Texts{"outcome.ambiguous[0]: `5xx` is in `release` too, by default; give `release` without "
              "it"});
  CHECK(policy_problems("outcome: {release: [408, 408], ambiguous: []}") ==
        Texts{"outcome.release[1]: `408` is listed twice"});
}

TEST_CASE("Rules ask the answer's status, header, body and content, as selectors do") {
  const auto rules = loaded_policy(R"(outcome:
  rules:
    - where: [{body: /errors, present: true}, {body: /data, present: false}]
      is: release
    - where: {content: true, regex: "ERROR.*"}
      is: ambiguous
    - {where: {header: X-Done, lower: true, otherwise: {body: /done}, in: [yes, 1]}, is: complete}
    - {where: {status: [404, 5xx]}, is: release}
    - {where: {status: true, regex: "2.."}, is: complete}
    - {where: [{status: 418}], is: ambiguous})")
                         .outcome.rules;
  REQUIRE(rules.size() == 6);
  CHECK(rules[0].is == Verdict::release);
  CHECK(rules[0].where.at(0).selector.text == "body: /errors");
  CHECK(rules[0].where.at(0).present == true);
  CHECK(rules[0].where.at(1).present == false);
  CHECK(rules[1].where.at(0).selector.source == policies::Source::content);
  CHECK(rules[2].where.at(0).any_of == Texts{"yes", "1"});
  CHECK(rules[3].where.at(0).selector.source == policies::Source::status);
  CHECK(rules[3].where.at(0).regex->pattern() == "404|5..");
  CHECK(rules[4].where.at(0).regex->pattern() == "2..");
  CHECK(rules[5].where.at(0).regex->pattern() == "418");
  CHECK(loaded_policy("outcome: {release: [409]}").outcome.rules.empty());
}

TEST_CASE("Rules that cannot be meant are refused") {
  const auto wrong = [](const std::string& rule) {
    return policy_problems("outcome: {rules: [" + rule + "]}");
  };
  CHECK(policy_problems("outcome: {rules: []}").size() == 1);
  CHECK(wrong("{where: {body: /a, present: true}}") == Texts{"outcome.rules[0]: `is` is missing"});
  CHECK(wrong("{is: release}") == Texts{"outcome.rules[0]: `where` is missing"});
  CHECK(wrong("{where: {query: a, equals: b}, is: release}") ==
        Texts{"outcome.rules[0].where.query: `query` is a field of a request; an answer has "
              "header, body, content or status"});
  CHECK(
      wrong("{where: {header: a, otherwise: {cookie: b}, equals: c}, is: release}") ==
      Texts{"outcome.rules[0].where.otherwise: `cookie: b` is a field of a request; an answer has "
            "header, body, content or status"});
  CHECK(wrong("{where: {header: Content-Length, equals: 0}, is: release}").size() == 1);
  CHECK(wrong("{where: {header: Onceproxy-X, present: true}, is: release}").size() == 1);
  CHECK(wrong("{where: {status: 4xx, equals: 404}, is: release}") ==
        Texts{"outcome.rules[0].where: a condition has only one of status or equals"});
  CHECK(wrong("{where: {status: true}, is: release}") ==
        Texts{"outcome.rules[0].where: a condition has one of equals, in, regex or present"});
  CHECK(wrong("{where: {status: 99}, is: release}") ==
        Texts{"outcome.rules[0].where.status: expected a status such as 408 or a class such as "
              "5xx, found \"99\""});
  CHECK(wrong("{where: {status: []}, is: release}").size() == 1);
  CHECK(wrong("{where: {body: /a, present: true, default: x}, is: release}") ==
        Texts{"outcome.rules[0].where.present: a field with a default is always there; leave "
              "`default` out"});
  CHECK(
      wrong("{where: {content: true, present: true}, is: release}") ==
      Texts{
          "outcome.rules[0].where.present: `content: true` is always present; compare its value"});
  CHECK(wrong("{where: {status: 409}, is: release}, {where: [{status: 409}, {body: /a, present: "
              "true}], is: complete}") ==
        Texts{"outcome.rules[1]: never applies: rules[0] applies to the same answers and stands "
              "first; put this one before it, or narrow its `where`"});
}

}  // namespace
}  // namespace onceproxy::config
