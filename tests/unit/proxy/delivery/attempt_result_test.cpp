#include "proxy/delivery/attempt_result.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::delivery {
namespace {

TEST_CASE("Only 2xx of a listener is notified, and only 410 dead at once", "[attempt_result]") {
  for (int status = 200; status < 600; ++status) {
    const AttemptResult expected = status < 300    ? AttemptResult::notified
                                   : status == 410 ? AttemptResult::dead
                                                   : AttemptResult::retry;
    INFO(status);
    CHECK(judge_listener(status) == expected);
  }
}

TEST_CASE("The circuit counts what says that the listener cannot take deliveries",
          "[attempt_result]") {
  CHECK(is_trouble(500));
  CHECK(is_trouble(503));
  CHECK(is_trouble(429));
  CHECK(is_trouble(408));
  CHECK_FALSE(is_trouble(200));
  CHECK_FALSE(is_trouble(400));
  CHECK_FALSE(is_trouble(404));
  CHECK_FALSE(is_trouble(410));
}

TEST_CASE("Towards the upstream the policy's outcome decides", "[attempt_result]") {
  CHECK(judge_upstream(policies::Verdict::complete, false) == AttemptResult::notified);
  CHECK(judge_upstream(policies::Verdict::release, false) == AttemptResult::retry);
  CHECK(judge_upstream(policies::Verdict::release, true) == AttemptResult::retry);
  CHECK(judge_upstream(policies::Verdict::ambiguous, false) == AttemptResult::retry);
  CHECK(judge_upstream(policies::Verdict::ambiguous, true) == AttemptResult::hold);
}

TEST_CASE("An unknown outcome is held for an operator only where it goes to the upstream",
          "[attempt_result]") {
  CHECK(judge_unanswered(true, true) == AttemptResult::hold);
  CHECK(judge_unanswered(true, false) == AttemptResult::retry);
  CHECK(judge_unanswered(false, true) == AttemptResult::retry);
}

}  // namespace
}  // namespace onceproxy::delivery
