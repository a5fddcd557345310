#include "proxy/delivery/verdict.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::delivery {
namespace {

TEST_CASE("Only 2xx of a listener is notified, and only 410 dead at once", "[verdict]") {
  for (int status = 200; status < 600; ++status) {
    const Verdict expected = status < 300    ? Verdict::notified
                             : status == 410 ? Verdict::dead
                                             : Verdict::retry;
    INFO(status);
    CHECK(judge_listener(status) == expected);
  }
}

TEST_CASE("The circuit counts what says that the listener cannot take deliveries", "[verdict]") {
  CHECK(is_trouble(500));
  CHECK(is_trouble(503));
  CHECK(is_trouble(429));
  CHECK(is_trouble(408));
  CHECK_FALSE(is_trouble(200));
  CHECK_FALSE(is_trouble(400));
  CHECK_FALSE(is_trouble(404));
  CHECK_FALSE(is_trouble(410));
}

TEST_CASE("Towards the upstream the policy's outcome decides", "[verdict]") {
  CHECK(judge_upstream(policies::Verdict::complete, false) == Verdict::notified);
  CHECK(judge_upstream(policies::Verdict::release, false) == Verdict::retry);
  CHECK(judge_upstream(policies::Verdict::release, true) == Verdict::retry);
  CHECK(judge_upstream(policies::Verdict::ambiguous, false) == Verdict::retry);
  CHECK(judge_upstream(policies::Verdict::ambiguous, true) == Verdict::hold);
}

TEST_CASE("An unknown outcome is held for an operator only where it goes to the upstream",
          "[verdict]") {
  CHECK(judge_unanswered(true, true) == Verdict::hold);
  CHECK(judge_unanswered(true, false) == Verdict::retry);
  CHECK(judge_unanswered(false, true) == Verdict::retry);
}

}  // namespace
}  // namespace onceproxy::delivery
