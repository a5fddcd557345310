#include "proxy/delivery/pace.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::delivery {
namespace {

using std::chrono::milliseconds;

const Pace::Time start{std::chrono::hours(1)};

TEST_CASE("Without a limit a delivery may begin at any time", "[pace]") {
  Pace pace;
  for (int i = 0; i < 1'000; ++i) {
    REQUIRE(pace.next(start) <= start);
    pace.take(start);
  }
}

TEST_CASE("A burst as large as the limit goes at once, and then one each interval", "[pace]") {
  Pace pace(policies::ListenerRate{4, milliseconds(1'000)});
  for (int i = 0; i < 4; ++i) {
    REQUIRE(pace.next(start) <= start);
    pace.take(start);
  }
  CHECK(pace.next(start) == start + milliseconds(250));
  pace.take(start + milliseconds(250));
  CHECK(pace.next(start + milliseconds(250)) == start + milliseconds(500));
}

TEST_CASE("A token that is returned can be taken at once", "[pace]") {
  Pace pace(policies::ListenerRate{1, milliseconds(1'000)});
  pace.take(start);
  REQUIRE(pace.next(start) > start);
  pace.give_back();
  CHECK(pace.next(start) == start);
}

TEST_CASE("The bucket fills up while nothing is taken, and no further than the limit", "[pace]") {
  Pace pace(policies::ListenerRate{2, milliseconds(1'000)});
  const auto later = start + std::chrono::hours(1);
  pace.take(start);
  for (int i = 0; i < 2; ++i) {
    REQUIRE(pace.next(later) <= later);
    pace.take(later);
  }
  CHECK(pace.next(later) > later);
}

}  // namespace
}  // namespace onceproxy::delivery
