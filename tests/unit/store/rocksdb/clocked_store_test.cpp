// The store on clocks that are turned by hand: restarts, boots, and wall clocks that are wrong.
#include <catch2/catch.hpp>

#include "hand_turned_time.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

constexpr auto year = 365 * 24h;

class ClockedStore {
 public:
  Fixture fixture;
  HandTurnedTime time;
  std::optional<StoreClock> clock;

  ClockedStore() { fixture.options.sync = Sync::none; }
  ~ClockedStore() { fixture.store.reset(); }  // before its clock

  void open() {
    fixture.store.reset();
    clock.emplace(time.sources());
    fixture.store = open_tuned(fixture.options, fixture.tuning, *clock, fixture.seen.observer());
  }
  /// As after a power cut: what was there at this moment, without anything that an end writes.
  void cut_power() {
    const auto copy = fixture.directory.path() / ("copy" + std::to_string(++copies_));
    std::filesystem::create_directories(copy);
    for (const auto& file : std::filesystem::directory_iterator(fixture.options.path)) {
      // RocksDB removes what it needs no more on a thread of its own.
      std::error_code gone;
      if (file.is_regular_file()) std::filesystem::copy(file.path(), copy, gone);
      if (gone && gone != std::errc::no_such_file_or_directory) throw std::system_error(gone);
    }
    fixture.store.reset();
    fixture.options.path = copy;
  }
  bool doubted() const { return fixture.store->stats().clock.doubted; }
  ReserveRequest brief(std::uint64_t number) const {
    ReserveRequest out = request(number);
    out.terms = {2s, 10s, OnUnknown::retry};
    return out;
  }

 private:
  int copies_ = 0;
};

}  // namespace

TEST_CASE("a start with a clock that is years ahead forgets nothing and frees nothing") {
  ClockedStore store;
  const bool other_boot = GENERATE(false, true);
  ReserveRequest held = request(2);
  held.terms.unknown = OnUnknown::hold;
  store.open();
  REQUIRE(store.fixture.complete(store.fixture.permit(request(1)), answer(200, "once")) ==
          Settled::done);
  REQUIRE(store.fixture.mark_unknown(store.fixture.permit(held)) == Settled::done);
  store.fixture.store.reset();

  if (other_boot) store.time.boot(1min);
  store.time.set_wall(10 * year);
  store.open();
  CHECK(store.doubted() == other_boot);
  CHECK(is<Completed>(store.fixture.reserve(request(1))));
  CHECK(is<Held>(store.fixture.reserve(held)));
  store.fixture.store.reset();

  store.time.set_wall(-10 * year);
  store.open();
  CHECK_FALSE(store.doubted());
  CHECK(is<Completed>(store.fixture.reserve(request(1))));
  CHECK(is<Held>(store.fixture.reserve(held)));
}

TEST_CASE("a lease holds for no longer than itself after a start, whatever the clock did") {
  ClockedStore store;
  const bool other_boot = GENERATE(false, true);
  const bool unknown = GENERATE(false, true);
  const auto step = GENERATE(std::chrono::milliseconds(-10 * year),
                             std::chrono::milliseconds(10 * year), 0ms, -3600'000ms);
  store.open();
  Permit permit = store.fixture.permit(store.brief(1));
  if (unknown) {
    REQUIRE(store.fixture.mark_unknown(std::move(permit)) == Settled::done);
  }
  store.cut_power();
  permit.use();
  if (other_boot) store.time.boot();
  store.time.set_wall(step);
  store.open();
  store.time.pass(2s);
  CHECK(is<Reserved>(store.fixture.reserve(store.brief(1))));
}

TEST_CASE("a weekend's downtime is over on Monday, and an hour's does not end a day's window") {
  ClockedStore store;
  store.open();
  REQUIRE(store.fixture.complete(store.fixture.permit(request(1)), answer(200, "alert")) ==
          Settled::done);
  store.cut_power();
  SECTION("a weekend") {
    store.time.boot(60h);
    store.open();
    CHECK(is<Reserved>(store.fixture.reserve(request(1))));
  }
  SECTION("an hour") {
    store.time.boot(1h);
    store.open();
    CHECK(is<Completed>(store.fixture.reserve(request(1))));
  }
}

TEST_CASE("rate limits and entities survive wrong clocks") {
  ClockedStore store;
  const auto step =
      GENERATE(std::chrono::milliseconds(-10 * year), std::chrono::milliseconds(10 * year));
  ReserveRequest limited = request(1);
  limited.rate = RateTerms{rate_key(1), 1, 1h};
  ReserveRequest closing = request(2);
  closing.entity = EntityTerms{};
  closing.entity->key = entity_key(1);
  closing.entity->closes = 1h;
  closing.entity->unless_closed = true;
  store.open();
  for (const ReserveRequest* const asks : {&limited, &closing}) {
    REQUIRE(store.fixture.complete(store.fixture.permit(*asks), answer(200, "")) == Settled::done);
  }
  store.cut_power();
  store.time.boot();
  store.time.set_wall(step);
  store.open();
  limited.fingerprint = fingerprint(3);
  closing.fingerprint = fingerprint(4);
  CHECK(is<RateLimited>(store.fixture.reserve(limited)));
  CHECK(is<Closed>(store.fixture.reserve(closing)));
  store.time.pass(1h);
  CHECK(is<Reserved>(store.fixture.reserve(limited)));
  CHECK(is<Reserved>(store.fixture.reserve(closing)));
}

TEST_CASE("an operator's word for the clock is kept, and a doubt is said and ends by itself") {
  ClockedStore store;
  store.open();
  store.fixture.store.reset();
  store.time.boot(1 * year);
  store.open();
  CHECK(store.doubted());
  CHECK(store.fixture.seen.wait_for_event("clock in doubt"));
  SECTION("accepted") {
    store.fixture.store.reset();
    store.fixture.options.accept_clock = true;
    store.open();
    CHECK_FALSE(store.doubted());
    CHECK(store.clock->now() == store.time.wall());
    // Killed before anything else was written.
    store.cut_power();
    store.fixture.options.accept_clock = false;
    store.time.boot(1min);
    store.open();
    CHECK_FALSE(store.doubted());
    CHECK(store.clock->now() == store.time.wall());
  }
  SECTION("set right") {
    store.time.set_wall(-1 * year + 1h);
    CHECK(store.fixture.seen.wait_for_event("can be believed again"));
    CHECK_FALSE(store.doubted());
  }
}
