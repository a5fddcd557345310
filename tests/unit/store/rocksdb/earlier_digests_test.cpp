// Operations that an earlier version of the digests named, after an upgrade.
#include <catch2/catch.hpp>

#include "earlier_version.hpp"
#include "store/record.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

constexpr std::uint64_t before = 1;
constexpr std::uint64_t now = 2;

/// What the earlier version asks, and what this one does: fingerprint and payload have other names.
ReserveRequest asked_before(std::uint8_t payload_before) {
  ReserveRequest out = request(before);
  out.payload = payload(payload_before);
  return out;
}
ReserveRequest asked_now(std::uint8_t payload_before) {
  ReserveRequest out = request(now);
  out.payload = payload(static_cast<std::uint8_t>(payload_before + 100));
  out.earlier = EarlierDigests{fingerprint(before), payload(payload_before)};
  return out;
}

struct Upgraded : Fixture {
  Upgraded() { open(); }
  void upgrade() {
    leave_as_version_one(*this);
    open();
  }
};

}  // namespace

TEST_CASE_METHOD(Upgraded,
                 "a store that an earlier version never wrote to has nothing to look for") {
  CHECK_FALSE(store->digests_since());
  REQUIRE(complete(permit(request(1)), answer(200, "ok")) == Settled::done);
  open();
  CHECK_FALSE(store->digests_since());
  // An empty directory of an earlier version has nothing either.
  Upgraded empty;
  empty.upgrade();
  CHECK_FALSE(empty.store->digests_since());
}

TEST_CASE_METHOD(Upgraded, "a store remembers since when digests are what they are now") {
  REQUIRE(complete(permit(request(1)), answer(200, "ok")) == Settled::done);
  upgrade();
  const WallTime since = clock.now();
  CHECK(store->digests_since() == since);
  clock.advance(1h);
  open();
  CHECK(store->digests_since() == since);
}

TEST_CASE_METHOD(Upgraded, "an earlier version that wrote in between has it begin anew") {
  REQUIRE(complete(permit(request(1)), answer(200, "ok")) == Settled::done);
  upgrade();
  REQUIRE(complete(permit(request(5)), answer(200, "ok")) == Settled::done);
  clock.advance(1h);
  store.reset();
  {
    // All that it writes of fences is this.
    const RocksDbObserver observer;
    Database database(options, tuning, clock, observer);
    database.open();
    rocksdb::WriteBatch batch;
    database.add(batch, Family::meta, meta::fence_ceiling, meta::encode(std::uint64_t{1} << 30));
    REQUIRE(database.write(batch, true).ok());
    database.close();
  }
  open();
  CHECK(store->digests_since() == clock.now());
}

TEST_CASE_METHOD(Upgraded, "a completed operation is found by its earlier name, and answered") {
  REQUIRE(complete(permit(asked_before(1)), answer(201, "made")) == Settled::done);
  upgrade();
  for (int time = 0; time < 2; ++time) {
    const ReserveResult result = reserve(asked_now(1));
    REQUIRE(is<Completed>(result));
    CHECK(std::get<Completed>(result).answer.body == "made");
    CHECK(is<Mismatch>(reserve(asked_now(2))));
  }
  CHECK(store->stats().reservations_active == 0);
}

TEST_CASE_METHOD(Upgraded, "a large answer is found by its earlier name") {
  const std::string large(onceproxy::store::answer_apart_bytes_min, 'a');
  REQUIRE(complete(permit(asked_before(1)), answer(200, large)) == Settled::done);
  upgrade();
  const ReserveResult result = reserve(asked_now(1));
  REQUIRE(is<Completed>(result));
  CHECK(std::get<Completed>(result).answer.body == large);
}

TEST_CASE_METHOD(Upgraded, "where only the payload has another name, either is the same payload") {
  REQUIRE(complete(permit(asked_before(1)), answer(201, "made")) == Settled::done);
  upgrade();
  ReserveRequest same = asked_now(1);
  same.fingerprint = fingerprint(before);
  CHECK(is<Completed>(reserve(same)));
  CHECK(is<Completed>(reserve(same)));  // from memory
  ReserveRequest other = asked_now(2);
  other.fingerprint = fingerprint(before);
  CHECK(is<Mismatch>(reserve(other)));
  same.earlier.reset();
  CHECK(is<Mismatch>(reserve(same)));
}

TEST_CASE_METHOD(Upgraded, "an unknown outcome is held by its earlier name, then tried once") {
  REQUIRE(mark_unknown(permit(asked_before(1))) == Settled::done);
  upgrade();
  CHECK(is<Held>(reserve(asked_now(1))));
  ReserveRequest holds = asked_now(1);
  holds.terms.unknown = OnUnknown::hold;
  clock.advance(Terms{}.lease + 1ms);
  CHECK(is<Held>(reserve(holds)));
  Permit again = permit(asked_now(1));
  CHECK(is<InFlight>(reserve(asked_now(1))));
  REQUIRE(complete(std::move(again), answer(200, "second")) == Settled::done);
  CHECK(is<Completed>(reserve(asked_now(1))));
}

TEST_CASE_METHOD(Upgraded, "a reservation that the upgrade cut off is held by its earlier name") {
  Permit cut_off = permit(asked_before(1));
  store.reset();
  cut_off.use();
  upgrade();
  CHECK(is<Held>(reserve(asked_now(1))));
  clock.advance(2 * Terms{}.lease + 10s);
  permit(asked_now(1)).use();
}

TEST_CASE_METHOD(Upgraded, "a record of this version is not found under an earlier digest") {
  REQUIRE(complete(permit(request(9)), answer(200, "ok")) == Settled::done);
  upgrade();
  // Of this version, and named as another operation was named before.
  REQUIRE(complete(permit(asked_before(1)), answer(200, "another's")) == Settled::done);
  ReserveResult result = reserve(asked_now(1));
  REQUIRE(is<Reserved>(result));
  std::get<Reserved>(result).permit.use();
  ReserveRequest same_name = asked_now(1);
  same_name.fingerprint = fingerprint(before);
  CHECK(is<Mismatch>(reserve(same_name)));
}

TEST_CASE_METHOD(Upgraded, "a record that has expired under its earlier name is not found") {
  REQUIRE(complete(permit(asked_before(1)), answer(201, "made")) == Settled::done);
  upgrade();
  clock.advance(Terms{}.window + 1ms);
  permit(asked_now(1)).use();
}
