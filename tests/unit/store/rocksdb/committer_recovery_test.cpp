#include <algorithm>
#include <catch2/catch.hpp>

#include "faulty_file_system.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using Fault = FaultyFileSystem::Fault;

namespace {

struct FailingFixture {
  FaultyEnvironment environment;
  Fixture fixture;
  FailingFixture() { fixture.tuning.over = environment.over; }

  void break_with(Fault fault) { environment.files->fault = fault; }
  /// Keeps it broken until heal(): a failed database cannot be opened again.
  void stay_broken() { environment.files->fault = Fault::create; }
  void heal() {
    const auto reopenings = [&] {
      return std::count_if(fixture.seen.events.begin(), fixture.seen.events.end(),
                           [](const std::string& text) { return text.starts_with("reopened"); });
    };
    const auto before = fixture.seen.signal.read(reopenings);
    environment.files->fault = Fault::none;
    REQUIRE(fixture.seen.signal.wait([&] { return reopenings() > before; }));
    REQUIRE(fixture.store->stats().healthy);
  }
  bool failed(const ReserveRequest& request) {
    return is_unavailable(fixture.reserve(request), Unavailable::Reason::failed);
  }
};

}  // namespace

TEST_CASE("a reservation whose write failed reserves nothing, whatever reached the disk") {
  const Fault fault = GENERATE(Fault::log_append, Fault::log_append_half, Fault::log_sync);
  FailingFixture failing;
  Fixture& fixture = failing.fixture;
  fixture.open();
  Permit before = fixture.permit(request(1));
  REQUIRE(fixture.complete(std::move(before), answer(200, "before")) == Settled::done);
  failing.break_with(fault);
  CHECK(failing.failed(request(2)));
  CHECK(fixture.seen.failed("write: IO error"));
  failing.stay_broken();
  CHECK(failing.failed(request(3)));
  CHECK(failing.failed(request(1)));
  CHECK_FALSE(fixture.store->stats().healthy);
  failing.heal();

  const ReserveResult again = fixture.reserve(request(2));
  REQUIRE(is<Reserved>(again));
  CHECK(std::get<Reserved>(again).attempt == 1);
  CHECK(std::get<Completed>(fixture.reserve(request(1))).answer.body == "before");
}

TEST_CASE("an outcome whose write failed is kept and written once the database is back") {
  const Fault fault = GENERATE(Fault::log_append, Fault::log_append_half, Fault::log_sync);
  FailingFixture failing;
  Fixture& fixture = failing.fixture;
  fixture.open();
  Permit completed = fixture.permit(request(1));
  Permit released = fixture.permit(request(2));
  Permit unknown = fixture.permit(request(3));
  Permit kept = fixture.permit(request(4));
  failing.break_with(fault);
  CHECK(fixture.complete(std::move(completed), answer(200, "happened")) == Settled::failed);
  failing.stay_broken();
  CHECK(fixture.release(std::move(released)) == Settled::failed);
  CHECK(fixture.mark_unknown(std::move(unknown)) == Settled::failed);
  failing.heal();

  CHECK(std::get<Completed>(fixture.reserve(request(1))).answer.body == "happened");
  CHECK(is<Reserved>(fixture.reserve(request(2))));
  CHECK(is<Held>(fixture.reserve(request(3))));
  CHECK(is<InFlight>(fixture.reserve(request(4))));
  CHECK(fixture.complete(std::move(kept), answer(200, "")) == Settled::done);
  fixture.open();
  CHECK(std::get<Completed>(fixture.reserve(request(1))).answer.body == "happened");
}

TEST_CASE("outcomes over the bound are counted and left to their lease") {
  FailingFixture failing;
  Fixture& fixture = failing.fixture;
  fixture.tuning.retained_max = 1;
  fixture.open();
  Permit one = fixture.permit(request(1));
  Permit two = fixture.permit(request(2));
  failing.break_with(Fault::log_append);
  CHECK(fixture.complete(std::move(one), answer(200, "")) == Settled::failed);
  failing.stay_broken();
  CHECK(fixture.complete(std::move(two), answer(200, "")) == Settled::failed);
  CHECK(fixture.seen.failed("retain"));
  failing.heal();
  CHECK(is<Completed>(fixture.reserve(request(1))));
  CHECK(is<Held>(fixture.reserve(request(2))));
}

TEST_CASE("a second attempt whose write failed leaves the first one's record as it was") {
  FailingFixture failing;
  Fixture& fixture = failing.fixture;
  fixture.open();
  ReserveRequest paid = request(1);
  paid.payload = payload(1);
  REQUIRE(fixture.mark_unknown(fixture.permit(paid)) == Settled::done);
  fixture.clock.advance(paid.terms.lease);
  failing.break_with(Fault::log_sync);
  CHECK(failing.failed(paid));
  failing.heal();

  ReserveRequest other = paid;
  other.payload = payload(2);
  CHECK(is<Mismatch>(fixture.reserve(other)));
  paid.terms.unknown = OnUnknown::hold;
  CHECK(is<Held>(fixture.reserve(paid)));
  paid.terms.unknown = OnUnknown::retry;
  const ReserveResult again = fixture.reserve(paid);
  REQUIRE(is<Reserved>(again));
  CHECK(std::get<Reserved>(again).attempt == 2);
}

TEST_CASE("every call of a group that failed is answered") {
  FailingFixture failing;
  Fixture& fixture = failing.fixture;
  fixture.open();
  failing.break_with(Fault::log_sync);
  std::vector<std::unique_ptr<Waiting<ReserveResult>>> calls;
  for (std::uint64_t i = 1; i <= 100; ++i) {
    auto& call = *calls.emplace_back(std::make_unique<Waiting<ReserveResult>>(fixture.loop));
    if (fixture.store->reserve(request(i), call)) call.at_once();
  }
  for (auto& call : calls) {
    CHECK(is_unavailable(call->wait(), Unavailable::Reason::failed));
  }
  failing.heal();
  for (std::uint64_t i = 1; i <= 100; ++i) {
    const ReserveResult again = fixture.reserve(request(i));
    REQUIRE(is<Reserved>(again));
    CHECK(std::get<Reserved>(again).attempt == 1);
  }
}

TEST_CASE("fences still rise after a failure") {
  FailingFixture failing;
  Fixture& fixture = failing.fixture;
  fixture.open();
  failing.break_with(Fault::log_sync);
  CHECK(failing.failed(request(1)));  // the write that would have set the first ceiling
  failing.heal();
  const std::uint64_t first = fixture.permit(request(2)).fence();
  fixture.open();
  CHECK(fixture.permit(request(3)).fence() > first);
}

TEST_CASE("a flush that fails in the background makes the store reopen") {
  FailingFixture failing;
  Fixture& fixture = failing.fixture;
  fixture.tuning.write_buffer_bytes = 64 << 10;
  fixture.tuning.memtable_buckets = 64;
  fixture.open();
  failing.break_with(Fault::table_write);
  std::uint64_t number = 0;
  while (fixture.store->stats().healthy && number < 5'000) {
    const ReserveResult result = fixture.reserve(request(++number));
    if (!is<Reserved>(result)) break;
  }
  REQUIRE(number < 5'000);
  CHECK(fixture.seen.failed("background"));
  failing.heal();
  CHECK(is<Reserved>(fixture.reserve(request(1'000'000))));
}

TEST_CASE("close while the database fails answers and says what was not written") {
  FailingFixture failing;
  Fixture& fixture = failing.fixture;
  fixture.open();
  Permit permit = fixture.permit(request(1));
  failing.break_with(Fault::log_append);
  CHECK(fixture.complete(std::move(permit), answer(200, "")) == Settled::failed);
  failing.stay_broken();
  fixture.store->close();
  CHECK(fixture.seen.failed("close: 1 outcomes were not written"));
  CHECK(is_unavailable(fixture.reserve(request(1)), Unavailable::Reason::closing));
}
