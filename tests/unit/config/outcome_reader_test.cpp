#include "policies/outcome.hpp"

#include "config/answer_reader.hpp"
#include "loading.hpp"

namespace onceproxy::config {
namespace {

using policies::classify;
using policies::Verdict;

TEST_CASE("What a status says by default is as config/REFERENCE.md has it") {
  const auto rules = loaded_policy("").outcome;
  for (const int status :
       {307, 308, 401, 407, 408, 412, 417, 421, 425, 428, 429, 500, 503, 599}) {
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

}  // namespace
}  // namespace onceproxy::config
