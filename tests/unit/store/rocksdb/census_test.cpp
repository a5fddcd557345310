#include "store/rocksdb/census.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <thread>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

/// Polls, with a bound: a walk tells nobody that it has been round.
bool comes_to(Fixture& fixture, const std::function<bool(const RecordCounts&)>& right) {
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (std::chrono::steady_clock::now() < end) {
    if (right(fixture.store->stats().records)) return true;
    std::this_thread::yield();
  }
  return false;
}

bool are(const RecordCounts& counts, std::uint64_t reserved, std::uint64_t completed,
         std::uint64_t unknown) {
  return counts.known && counts.reserved == reserved && counts.completed == completed &&
         counts.unknown == unknown;
}

}  // namespace

TEST_CASE("records are counted by what they amount to, also where nothing is written") {
  Fixture fixture;
  fixture.options.sync = Sync::none;
  fixture.tuning.census_pause = 1ms;
  // The walk takes many parts.
  fixture.tuning.scan_max = GENERATE(std::size_t{7}, std::size_t{20'000});
  fixture.open();
  const Permit held = fixture.permit(request(1));
  for (std::uint64_t n = 2; n < 52; ++n) {
    ReserveRequest asks = request(n);
    asks.terms.window = 100s;
    fixture.complete(fixture.permit(asks), answer(200, "x"));
  }
  for (std::uint64_t n = 52; n < 62; ++n) fixture.mark_unknown(fixture.permit(request(n)));
  for (std::uint64_t n = 62; n < 65; ++n) {
    const Permit dropped = fixture.permit(request(n));
  }
  CHECK(comes_to(fixture, [](const auto& counts) { return are(counts, 4, 50, 10); }));
  fixture.clock.advance(50s);
  CHECK(comes_to(fixture, [](const auto& counts) { return are(counts, 1, 50, 13); }));
  fixture.clock.advance(50s);
  CHECK(comes_to(fixture, [](const auto& counts) { return are(counts, 1, 0, 13); }));
}

TEST_CASE("an empty store has no records in any state") {
  Fixture fixture;
  fixture.open();
  CHECK(comes_to(fixture, [](const auto& counts) { return are(counts, 0, 0, 0); }));
}

TEST_CASE("a first part of the walk is enough for an estimate") {
  Fixture fixture;
  fixture.options.sync = Sync::none;
  fixture.tuning.census_pause = 1ms;
  fixture.open();
  for (std::uint64_t n = 0; n < 2'000; ++n) {
    fixture.complete(fixture.permit(request(n)), answer(200, "x"));
  }
  fixture.tuning.scan_max = 200;
  fixture.tuning.census_pause = 1h;
  fixture.open();
  CHECK(comes_to(fixture, [](const auto& counts) {
    return counts.known && counts.completed > 1'500 && counts.completed < 2'500;
  }));
}
