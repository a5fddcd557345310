#include "proxy/http/reuse_age.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::http {
namespace {

using namespace std::chrono_literals;

const ReuseAge::Time start = ReuseAge::Time() + 100h;

TEST_CASE("Any age is allowed until an end was seen") {
  const ReuseAge age;
  CHECK(age.allows(0ms, start));
  CHECK(age.allows(24h, start));
}

TEST_CASE("An end halves the age at which connections are reused") {
  ReuseAge age;
  CHECK(age.ended(10ms, start));
  CHECK(age.allows(4ms, start));
  CHECK_FALSE(age.allows(5ms, start));
  CHECK_FALSE(age.ended(4ms, start + 1ms));  // while it holds, the next one only lowers it
  CHECK(age.allows(1ms, start + 1ms));
  CHECK_FALSE(age.allows(2ms, start + 1ms));
}

TEST_CASE("An end at an age that is not allowed says nothing new") {
  ReuseAge age;
  age.ended(10ms, start);
  CHECK_FALSE(age.ended(8ms, start));
  CHECK(age.allows(4ms, start));
}

TEST_CASE("A single end is forgotten within a second, if the age was short") {
  ReuseAge age;
  age.ended(1ms, start);
  CHECK_FALSE(age.allows(1ms, start + 999ms));
  CHECK(age.allows(1ms, start + 1s));
}

TEST_CASE("Many ends at once are one piece of news") {
  ReuseAge age;
  CHECK(age.ended(10ms, start));
  for (auto idle = 4'000'000ns; idle > 1ns; idle /= 3) CHECK_FALSE(age.ended(idle, start));
  CHECK(age.allows(10ms, start + 1s));
}

TEST_CASE("An upstream that ends connections again and again is tried less and less often") {
  ReuseAge age;
  auto now = start;
  auto before = 0s;
  for (const auto hold : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    CHECK(hold >= before);
    CHECK(age.ended(1ms, now));
    CHECK_FALSE(age.allows(1ms, now + hold - 1ms));
    CHECK(age.allows(1ms, now + hold));
    now += hold;
    before = hold;
  }
  SECTION("and from the beginning after a minute without") {
    now += 60s;
    age.ended(1ms, now);
    CHECK(age.allows(1ms, now + 1s));
  }
}

TEST_CASE("A long age is held for several times its length, and never longer than a minute") {
  ReuseAge age;
  age.ended(200ms, start);
  CHECK_FALSE(age.allows(100ms, start + 4s - 1ms));
  CHECK(age.allows(100ms, start + 4s));
  const auto later = start + 10min;
  age.ended(5s, later);
  CHECK_FALSE(age.allows(3s, later + 60s - 1ms));
  CHECK(age.allows(3s, later + 60s));
}

}  // namespace
}  // namespace onceproxy::http
