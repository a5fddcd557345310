#include "proxy/delivery/backoff.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::delivery {
namespace {

using std::chrono::milliseconds;

constexpr Backoff ten_to_hundred{milliseconds(10), milliseconds(100), 0.0};

TEST_CASE("The delay doubles with each attempt up to the maximum", "[backoff]") {
  CHECK(delay(ten_to_hundred, 1, 0) == milliseconds(10));
  CHECK(delay(ten_to_hundred, 2, 0) == milliseconds(20));
  CHECK(delay(ten_to_hundred, 4, 0) == milliseconds(80));
  CHECK(delay(ten_to_hundred, 5, 0) == milliseconds(100));
  CHECK(delay(ten_to_hundred, 4'000'000'000, 0) == milliseconds(100));
}

TEST_CASE("Jitter takes a share off and never adds any", "[backoff]") {
  const Backoff jittered{milliseconds(1'000), milliseconds(8'000), 0.2};
  CHECK(delay(jittered, 1, 0.0) == milliseconds(1'000));
  CHECK(delay(jittered, 1, 0.5) == milliseconds(900));
  CHECK(delay(jittered, 1, 1.0) == milliseconds(800));
}

TEST_CASE("A maximum that is no multiple of the first delay is reached exactly", "[backoff]") {
  const Backoff odd{milliseconds(3), milliseconds(7), 0.0};
  CHECK(delay(odd, 2, 0) == milliseconds(6));
  CHECK(delay(odd, 3, 0) == milliseconds(7));
}

TEST_CASE("An initial delay above the maximum is the maximum, and zero stays zero", "[backoff]") {
  CHECK(delay({milliseconds(500), milliseconds(100), 0.0}, 1, 0) == milliseconds(100));
  CHECK(delay({milliseconds(0), milliseconds(100), 0.0}, 30, 0) == milliseconds(0));
}

TEST_CASE("The random share lies from 0 up to 1 and is not always the same", "[backoff]") {
  double lowest = 1, highest = 0;
  for (int i = 0; i < 1'000; ++i) {
    const double share = random_share();
    REQUIRE(share >= 0.0);
    REQUIRE(share < 1.0);
    lowest = std::min(lowest, share);
    highest = std::max(highest, share);
  }
  CHECK(lowest < 0.1);
  CHECK(highest > 0.9);
}

}  // namespace
}  // namespace onceproxy::delivery
