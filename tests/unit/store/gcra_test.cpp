#include "store/gcra.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::store;
using namespace std::chrono_literals;

namespace {

RateTime at(std::chrono::nanoseconds time) {
  return RateTime(1'000'000s + time);
}

RateTerms terms(std::uint32_t limit, std::chrono::milliseconds per) {
  return {{}, limit, per};
}

}  // namespace

TEST_CASE("a full bucket gives its limit at once, then one each interval") {
  const RateTerms ten = terms(10, 1h);
  RateTime arrival{};
  for (int i = 0; i < 10; ++i) CHECK_FALSE(take_token(arrival, at(0s), ten));
  CHECK(arrival == at(3600s));
  CHECK(take_token(arrival, at(0s), ten) == 360s);
  CHECK(take_token(arrival, at(100s), ten) == 260s);
  CHECK(take_token(arrival, at(360s - 1ns), ten) == 1ns);
  CHECK(arrival == at(3600s));
  CHECK_FALSE(take_token(arrival, at(360s), ten));
  CHECK(arrival == at(3960s));
  CHECK(take_token(arrival, at(360s), ten) == 360s);
}

TEST_CASE("unused tokens come back with time, up to the limit") {
  const RateTerms three = terms(3, 3s);
  RateTime arrival{};
  for (int i = 0; i < 3; ++i) CHECK_FALSE(take_token(arrival, at(0s), three));
  for (int i = 0; i < 2; ++i) CHECK_FALSE(take_token(arrival, at(2s), three));
  CHECK(take_token(arrival, at(2s), three) == 1s);
  for (int i = 0; i < 3; ++i) CHECK_FALSE(take_token(arrival, at(100s), three));
  CHECK(take_token(arrival, at(100s), three) == 1s);
}

TEST_CASE("a limit of one is a pause between two") {
  const RateTerms one = terms(1, 5min);
  RateTime arrival{};
  CHECK_FALSE(take_token(arrival, at(0s), one));
  CHECK(take_token(arrival, at(1s), one) == 299s);
  CHECK_FALSE(take_token(arrival, at(300s), one));
}

TEST_CASE("an interval that does not divide the time makes room for no more than the limit") {
  const auto limit = GENERATE(3u, 7u, 60'000u, 999'983u);
  const RateTerms odd = terms(limit, 1s);
  RateTime arrival{};
  std::uint32_t taken = 0;
  while (!take_token(arrival, at(0s), odd)) ++taken;
  CHECK(taken == limit);
}

TEST_CASE("a limit of more than one a nanosecond still is one") {
  CHECK(token_interval(terms(4'000'000'000, 1ms)) == 1ns);
}

TEST_CASE("a limit that was changed goes on from where the old one was") {
  RateTime arrival{};
  for (int i = 0; i < 10; ++i) CHECK_FALSE(take_token(arrival, at(0s), terms(10, 1h)));
  CHECK(take_token(arrival, at(0s), terms(2, 1h)) == 1800s);
  CHECK_FALSE(take_token(arrival, at(0s), terms(20, 2h)));
}

TEST_CASE("a token that is given back is the next one's") {
  RateTime arrival{};
  RateTime last = at(0s);
  CHECK_FALSE(take_token(arrival, at(0s), terms(1, 1h)));
  give_token_back(arrival, 1h, at(0s), last);
  CHECK_FALSE(take_token(arrival, at(1s), terms(1, 1h)));
}

TEST_CASE("a token that has come back by itself is not given back again") {
  RateTime arrival{};
  CHECK_FALSE(take_token(arrival, at(0s), terms(1, 1h)));
  CHECK_FALSE(take_token(arrival, at(1h), terms(1, 1h)));
  RateTime last = at(1h);
  give_token_back(arrival, 1h, at(0s), last);
  CHECK(take_token(arrival, at(90min), terms(1, 1h)) == 30min);
}

TEST_CASE("giving a token back does not fill the bucket above its limit") {
  RateTime arrival{};
  CHECK_FALSE(take_token(arrival, at(0s), terms(2, 2h)));
  CHECK_FALSE(take_token(arrival, at(30min), terms(2, 2h)));
  RateTime last = at(30min);
  give_token_back(arrival, 1h, at(0s), last);
  CHECK(arrival == at(90min));  // as if only the second had been taken
  give_token_back(arrival, 1h, at(30min), last);
  CHECK(arrival <= at(30min));
}
