#include "store/rocksdb/census.hpp"

#include <catch2/catch.hpp>
#include <functional>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

/// Asks for it, because the end of a walk is not signalled.
bool comes_to(Fixture& fixture, const std::function<bool(const RecordCounts&)>& right) {
  return eventually([&] { return right(fixture.store->stats().records); });
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

namespace {

/// "dispatch hold 2, dispatch retry 1": what is unknown, by policy.
std::string unknown(Fixture& fixture) {
  std::string out;
  for (const UnknownRecords& one : fixture.store->stats().records.unknown_by_policy) {
    out += (out.empty() ? "" : ", ") + one.policy + (one.hold ? " hold " : " retry ") +
           std::to_string(one.count);
  }
  return out;
}

bool comes_to(Fixture& fixture, const std::string& expected) {
  return comes_to(fixture, [&](const RecordCounts& counts) {
    return counts.known && unknown(fixture) == expected;
  });
}

/// Looks at what has changed all the time, and walks no more once it has been round.
void look_quickly(Fixture& fixture) {
  fixture.options.sync = Sync::none;
  fixture.tuning.census_pause = 1h;
  fixture.tuning.census_look = 1ms;
  fixture.open();
  REQUIRE(comes_to(fixture, ""));
}

ReserveRequest holding(std::uint64_t number) {
  ReserveRequest asks = request(number);
  asks.terms.unknown = OnUnknown::hold;
  return asks;
}

}  // namespace

TEST_CASE("a record that becomes unknown is counted before the next walk") {
  Fixture fixture;
  look_quickly(fixture);
  for (std::uint64_t n = 1; n <= 3; ++n) fixture.mark_unknown(fixture.permit(request(n)));
  fixture.mark_unknown(fixture.permit(holding(4)));
  ReserveRequest other = holding(5);
  other.policy = "alerts";
  fixture.mark_unknown(fixture.permit(other));
  CHECK(comes_to(fixture, "alerts hold 1, dispatch retry 3, dispatch hold 1"));
  fixture.clock.advance(90s);
  for (const UnknownRecords& one : fixture.store->stats().records.unknown_by_policy) {
    CHECK(one.oldest == 90s);
  }
}

TEST_CASE("a record that is no longer unknown leaves the count before the next walk") {
  Fixture fixture;
  look_quickly(fixture);
  for (std::uint64_t n = 1; n <= 4; ++n) fixture.mark_unknown(fixture.permit(holding(n)));
  fixture.mark_unknown(fixture.permit(request(5)));
  CHECK(comes_to(fixture, "dispatch retry 1, dispatch hold 4"));
  Inspection& inspection = fixture.store->inspection();
  CHECK(inspection.resolve(fingerprint(1), {}) == Changed::done);
  CHECK(inspection.release(fingerprint(2)) == Changed::done);
  CHECK(inspection.forget(fingerprint(3)) == Changed::done);
  CHECK(comes_to(fixture, "dispatch retry 1, dispatch hold 1"));
  // The lease is over, and a retry is let through.
  fixture.clock.advance(1min);
  const Permit retried = fixture.permit(request(5));
  CHECK(comes_to(fixture, "dispatch hold 1"));
  fixture.clock.advance(25h);
  CHECK(comes_to(fixture, ""));
}

TEST_CASE("a reservation that nobody holds is counted as unknown once its lease is over") {
  Fixture fixture;
  look_quickly(fixture);
  { const Permit dropped = fixture.permit(holding(1)); }
  CHECK(comes_to(fixture, ""));
  fixture.clock.advance(10min);
  CHECK(comes_to(fixture, "dispatch hold 1"));
  fixture.open();
  CHECK(comes_to(fixture, "dispatch hold 1"));
}
