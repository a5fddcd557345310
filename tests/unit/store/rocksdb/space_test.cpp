#include "store/rocksdb/space.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {
/// Nothing that compression could make small.
std::string noise(std::size_t size) {
  static std::mt19937_64 random{1};
  std::string out(size, '\0');
  for (char& byte : out) byte = static_cast<char>(random());
  return out;
}
}  // namespace

TEST_CASE("over the cap new fingerprints are refused, known ones answered, and expiry makes room") {
  Fixture fixture;
  fixture.options.sync = Sync::none;
  fixture.options.bytes_max = 4 << 20;
  fixture.open();
  std::uint64_t number = 0;
  ReserveRequest lasting = request(number);
  lasting.terms.window = 24h;
  REQUIRE(fixture.complete(fixture.permit(lasting), answer(200, "kept")) == Settled::done);
  Permit before = fixture.permit(request(1'000'000));
  for (;;) {
    ReserveRequest brief = request(++number);
    brief.terms.window = 1s;
    ReserveResult result = fixture.reserve(brief);
    if (is_unavailable(result, Unavailable::Reason::full)) break;
    REQUIRE(number < 10'000);
    fixture.complete(std::move(std::get<Reserved>(result).permit), answer(200, noise(64 << 10)));
    // Each tick writes who asked again, which must not keep the log for ever.
    REQUIRE(is<Completed>(fixture.reserve(lasting)));
  }
  CHECK(fixture.seen.wait_for_event("over the cap"));
  CHECK(fixture.store->stats().bytes > fixture.options.bytes_max);
  CHECK(std::get<Completed>(fixture.reserve(lasting)).answer.body == "kept");
  CHECK(fixture.complete(std::move(before), answer(200, "under way")) == Settled::done);

  fixture.clock.advance(3min);
  CHECK(fixture.seen.wait_for_event("back under the cap"));
  CHECK(is<Reserved>(fixture.reserve(request(number))));
  CHECK(std::get<Completed>(fixture.reserve(lasting)).answer.body == "kept");
}

TEST_CASE("while the clock is in doubt nothing is purged, however full the store is") {
  Fixture fixture;
  fixture.options.sync = Sync::none;
  fixture.options.bytes_max = 1 << 20;
  fixture.open();
  std::vector<Permit> permits;
  for (std::uint64_t n = 0; n < 50; ++n) permits.push_back(fixture.permit(request(1'000 + n)));
  fixture.clock.doubt(true);
  std::uint64_t number = 0;
  for (;;) {
    ReserveRequest brief = request(++number);
    brief.terms.window = 1s;
    ReserveResult result = fixture.reserve(brief);
    if (is_unavailable(result, Unavailable::Reason::full)) break;
    REQUIRE(number < 1'000);
    fixture.complete(std::move(std::get<Reserved>(result).permit), answer(200, noise(64 << 10)));
  }
  fixture.clock.advance(3min);
  // The store goes on meanwhile.
  for (Permit& permit : permits) {
    REQUIRE(fixture.complete(std::move(permit), answer(200, "")) == Settled::done);
  }
  CHECK(is_unavailable(fixture.reserve(request(5'000)), Unavailable::Reason::full));
  CHECK_FALSE(
      fixture.seen.signal.read([&] { return Seen::contains(fixture.seen.events, "reclaimed"); }));
  fixture.clock.doubt(false);
  CHECK(fixture.seen.wait_for_event("back under the cap"));
}
