#include "store/rocksdb/committer.hpp"

#include <catch2/catch.hpp>
#include <thread>

#include "faulty_file_system.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

struct GatedFixture {
  FaultyEnvironment environment;
  Fixture fixture;
  GatedFixture() { fixture.tuning.over = environment.over; }

  /// No group gets past its sync until release().
  void hold_syncs() { environment.files->log_sync_waits = true; }
  void wait_for_sync_after(int syncs) {
    REQUIRE(environment.files->log_synced.wait([&] { return this->syncs() > syncs; }));
  }
  void release() {
    environment.files->log_sync_waits = false;
    environment.files->log_sync_waits.notify_all();
  }
  int syncs() const { return environment.files->log_syncs; }
};

}  // namespace

TEST_CASE("operations that arrive while a group is written share one sync and one wake") {
  GatedFixture gated;
  Fixture& fixture = gated.fixture;
  fixture.tuning.tick = 1h;
  fixture.open();
  const int syncs = gated.syncs();
  gated.hold_syncs();
  std::vector<std::unique_ptr<Waiting<ReserveResult>>> calls;
  const auto reserve = [&](std::uint64_t number) {
    calls.push_back(std::make_unique<Waiting<ReserveResult>>(fixture.loop));
    CHECK_FALSE(fixture.store->reserve(request(number), *calls.back()));
  };
  reserve(0);
  gated.wait_for_sync_after(syncs);
  for (std::uint64_t i = 1; i <= 99; ++i) reserve(i);
  for (const auto& call : calls) CHECK_FALSE(call->answered());
  CHECK(is<InFlight>(fixture.reserve(request(0))));
  CHECK(is<InFlight>(fixture.reserve(request(99))));
  gated.release();
  for (const auto& call : calls) CHECK(is<Reserved>(call->wait()));
  CHECK(fixture.seen.groups == std::vector<std::size_t>{1, 99});
  CHECK(gated.syncs() == syncs + 2);
  CHECK(fixture.loop.deliveries == 2);
}

TEST_CASE("each loop gets its own results") {
  GatedFixture gated;
  Fixture& fixture = gated.fixture;
  fixture.open();
  DirectLoop other;
  Waiting<ReserveResult> here(fixture.loop);
  Waiting<ReserveResult> there(other);
  REQUIRE_FALSE(fixture.store->reserve(request(1), here));
  REQUIRE_FALSE(fixture.store->reserve(request(2), there));
  CHECK(is<Reserved>(here.wait()));
  CHECK(is<Reserved>(there.wait()));
  CHECK(fixture.loop.deliveries == 1);
  CHECK(other.deliveries == 1);
}

TEST_CASE("each level of sync makes durable what it promises") {
  struct Promise {
    Sync sync;
    int reserve, complete, mark_unknown, release;
  };
  const auto promise = GENERATE(values<Promise>(
      {{Sync::all, 1, 1, 1, 1}, {Sync::reservations, 1, 0, 0, 0}, {Sync::none, 0, 0, 0, 0}}));
  GatedFixture gated;
  Fixture& fixture = gated.fixture;
  fixture.options.sync = promise.sync;
  fixture.tuning.tick = 1h;
  fixture.open();
  REQUIRE(fixture.release(fixture.permit(request(0))) == Settled::done);  // sets the fence ceiling

  const auto syncs_of = [&](auto&& verb) {
    const int before = gated.syncs();
    verb();
    return gated.syncs() - before;
  };
  std::optional<Permit> one, two, three;
  CHECK(syncs_of([&] { one = fixture.permit(request(1)); }) == promise.reserve);
  two = fixture.permit(request(2));
  three = fixture.permit(request(3));
  CHECK(syncs_of([&] { fixture.complete(std::move(*one), answer(200, "")); }) == promise.complete);
  CHECK(syncs_of([&] { fixture.mark_unknown(std::move(*two)); }) == promise.mark_unknown);
  CHECK(syncs_of([&] { fixture.release(std::move(*three)); }) == promise.release);
}

TEST_CASE("while a reservation is held its lease is extended, so that a crash leaves it whole") {
  GatedFixture gated;
  Fixture& fixture = gated.fixture;
  fixture.tuning.tick = 1ms;
  fixture.open();
  ReserveRequest slow = request(1);
  slow.terms = {40s, 100s, OnUnknown::hold};
  Permit permit = fixture.permit(slow);
  for (int i = 0; i < 5; ++i) {
    const int syncs = gated.syncs();
    fixture.clock.advance(11s);
    gated.wait_for_sync_after(syncs);
  }
  fixture.store->close();
  permit.use();
  fixture.open();
  ReserveRequest asking = slow;
  asking.terms.unknown = OnUnknown::retry;
  const ReserveResult held = fixture.reserve(asking);
  REQUIRE(is<Held>(held));
  CHECK(std::get<Held>(held).lease_left == 40s);
  fixture.clock.advance(139s);
  CHECK(is<Held>(fixture.reserve(slow)));
  fixture.clock.advance(1s);
  CHECK(is<Reserved>(fixture.reserve(slow)));
}

TEST_CASE("an extension never overwrites an outcome") {
  Fixture fixture;
  fixture.options.sync = Sync::none;
  fixture.tuning.tick = 0ms;
  fixture.open();
  std::atomic<bool> done{false};
  std::thread time([&] {
    while (!done) fixture.clock.advance(1ms);
  });
  constexpr std::uint64_t each = 500;
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::uint64_t i = 0; i < each; ++i) {
        ReserveRequest brief = request(thread * each + i);
        brief.terms = {4ms, std::chrono::hours(24 * 365), OnUnknown::retry};
        static_cast<void>(fixture.complete(fixture.permit(brief), answer(200, "")));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  done = true;
  time.join();
  fixture.open();
  std::size_t completed = 0;
  for (std::uint64_t i = 0; i < 4 * each; ++i) {
    if (is<Completed>(fixture.reserve(request(i)))) ++completed;
  }
  CHECK(completed == 4 * each);
}
