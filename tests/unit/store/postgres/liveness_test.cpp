// When this instance's claims count, and when those of others do not.
#include "store/postgres/liveness.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::store;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {
const Liveness::Time start{std::chrono::hours(1)};
}

TEST_CASE("liveness: a claim holds for eight seconds after the last sign of life") {
  Liveness liveness{seconds(10)};
  // Before the first sign it holds for a while by itself.
  CHECK(liveness.holds(start, start + milliseconds(3'999)));
  CHECK_FALSE(liveness.holds(start, start + milliseconds(4'000)));
  liveness.alive(start - seconds(1));
  liveness.alive(start + seconds(3));
  CHECK(liveness.holds(start, start + milliseconds(10'999)));
  CHECK_FALSE(liveness.holds(start, start + milliseconds(11'000)));
}

TEST_CASE("liveness: a claim from before a gap does not come alive again") {
  Liveness liveness{seconds(10)};
  liveness.alive(start);
  CHECK(liveness.holds(start, start + seconds(7)));
  liveness.alive(start + seconds(15));
  CHECK_FALSE(liveness.holds(start, start + seconds(16)));
  CHECK(liveness.holds(start + seconds(15), start + seconds(22)));
  CHECK(liveness.unbroken(start + seconds(16)) == seconds(1));
}

TEST_CASE("liveness: nothing is taken over until signs were given for a while without a gap") {
  Liveness liveness{seconds(10)};
  CHECK_FALSE(liveness.may_take_over(start));
  for (int second = 0; second <= 10; ++second) liveness.alive(start + seconds(second));
  CHECK_FALSE(liveness.may_take_over(start + milliseconds(9'999)));
  CHECK(liveness.may_take_over(start + seconds(10)));
  // No sign for long: nobody else may have given one either.
  CHECK_FALSE(liveness.may_take_over(start + seconds(15)));
  liveness.alive(start + seconds(20));
  CHECK_FALSE(liveness.may_take_over(start + seconds(20)));
  for (int second = 21; second <= 30; ++second) liveness.alive(start + seconds(second));
  CHECK(liveness.may_take_over(start + seconds(30)));
}
