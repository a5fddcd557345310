#include "store/rocksdb/rates.hpp"

#include <catch2/catch.hpp>
#include <thread>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

ReserveRequest limited(std::uint64_t number, std::uint32_t limit = 2,
                       std::chrono::milliseconds per = 1h) {
  ReserveRequest out = request(number);
  out.rate = RateTerms{rate_key(1), limit, per};
  return out;
}

std::chrono::milliseconds retry_after(const ReserveResult& result) {
  REQUIRE(is<RateLimited>(result));
  return std::get<RateLimited>(result).retry_after;
}

}  // namespace

TEST_CASE("the bytes of a rate limit come back, and others are refused") {
  const RateTime arrival(1'700'000'000'123'456'789ns);
  const std::string bytes = encode_rate(arrival);
  CHECK(bytes.size() == 9);
  CHECK(decode_rate(bytes) == arrival);
  CHECK(decode_rate_expiry(bytes) == WallTime(1'700'000'000'124ms));
  CHECK_FALSE(decode_rate(bytes + "x"));
  CHECK_FALSE(decode_rate(bytes.substr(1)));
  CHECK_FALSE(decode_rate("\2" + bytes.substr(1)));
  CHECK_FALSE(decode_rate(""));
}

TEST_CASE("over the limit a new operation is refused, and told when to come back") {
  Fixture fixture;
  fixture.open();
  for (std::uint64_t i = 1; i <= 2; ++i) {
    REQUIRE(fixture.complete(fixture.permit(limited(i)), answer(200, "")) == Settled::done);
  }
  CHECK(retry_after(fixture.reserve(limited(3))) == 30min);
  fixture.clock.advance(10min);
  CHECK(retry_after(fixture.reserve(limited(3))) == 20min);
  CHECK(fixture.store->stats().reservations_active == 0);
  SECTION("another bucket is another limit") {
    ReserveRequest other = limited(3);
    other.rate->key = rate_key(2);
    CHECK(is<Reserved>(fixture.reserve(other)));
  }
  SECTION("a duplicate is answered and takes nothing") {
    CHECK(is<Completed>(fixture.reserve(limited(1))));
    fixture.clock.advance(20min);
    CHECK(is<Completed>(fixture.reserve(limited(2))));
    CHECK(is<Reserved>(fixture.reserve(limited(3))));
  }
  SECTION("a restart forgets nothing") {
    fixture.open();
    CHECK(retry_after(fixture.reserve(limited(3))) == 20min);
  }
}

TEST_CASE("the time to come back is rounded up to a millisecond") {
  Fixture fixture;
  fixture.open();
  for (std::uint64_t i = 1; i <= 3; ++i) {
    REQUIRE(fixture.complete(fixture.permit(limited(i, 3, 1s)), answer(200, "")) == Settled::done);
  }
  CHECK(retry_after(fixture.reserve(limited(4, 3, 1s))) == 334ms);
  fixture.clock.advance(333ms);
  CHECK(retry_after(fixture.reserve(limited(4, 3, 1s))) == 1ms);
  fixture.clock.advance(1ms);
  CHECK(is<Reserved>(fixture.reserve(limited(4, 3, 1s))));
}

TEST_CASE("a release gives its token back, on disk too; no other end does") {
  Fixture fixture;
  fixture.open();
  Permit permit = fixture.permit(limited(1, 1));
  CHECK(is<RateLimited>(fixture.reserve(limited(2, 1))));
  SECTION("released") {
    REQUIRE(fixture.release(std::move(permit)) == Settled::done);
    const bool restarted = GENERATE(false, true);
    if (restarted) fixture.open();
    CHECK(is<Reserved>(fixture.reserve(limited(2, 1))));
  }
  SECTION("completed") {
    REQUIRE(fixture.complete(std::move(permit), answer(200, "")) == Settled::done);
    CHECK(is<RateLimited>(fixture.reserve(limited(2, 1))));
  }
  SECTION("unknown") {
    REQUIRE(fixture.mark_unknown(std::move(permit)) == Settled::done);
    CHECK(is<RateLimited>(fixture.reserve(limited(2, 1))));
    fixture.clock.advance(30s);
    CHECK(is<RateLimited>(fixture.reserve(limited(1, 1))));  // a second attempt takes another
  }
  SECTION("dropped") {
    { const Permit gone = std::move(permit); }
    CHECK(is<RateLimited>(fixture.reserve(limited(2, 1))));
  }
}

TEST_CASE("a release long after gives back no token that is there again anyway") {
  Fixture fixture;
  fixture.open();
  Permit slow = fixture.permit(limited(1, 1));
  fixture.clock.advance(1h);
  REQUIRE(fixture.complete(fixture.permit(limited(2, 1)), answer(200, "")) == Settled::done);
  REQUIRE(fixture.release(std::move(slow)) == Settled::done);
  CHECK(retry_after(fixture.reserve(limited(3, 1))) == 1h);
}

TEST_CASE("threads that share a limit get as many tokens as there are") {
  Fixture fixture;
  fixture.options.sync = Sync::none;
  fixture.open();
  std::atomic<int> reserved{0};
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::uint64_t i = 0; i < 50; ++i) {
        ReserveResult result = fixture.reserve(limited(thread * 100 + i, 20));
        auto* const mine = std::get_if<Reserved>(&result);
        if (mine == nullptr) continue;
        ++reserved;
        static_cast<void>(fixture.complete(std::move(mine->permit), answer(200, "")));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(reserved == 20);
}
