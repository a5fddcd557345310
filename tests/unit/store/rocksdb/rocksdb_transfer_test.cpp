#include "store/rocksdb/rocksdb_transfer.hpp"

#include <catch2/catch.hpp>

#include <rocksdb/write_batch.h>

#include "store/rocksdb/database.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

using Opening = RocksDbTransfer::Opening;

/// Everything that a store holds.
struct Contents {
  std::vector<CarriedRecord> records;
  std::vector<CarriedEntity> entities;
  std::vector<CarriedRate> rates;

  const Record& of(std::uint64_t number) const {
    for (const auto& [name, record] : records) {
      if (name == fingerprint(number)) return record;
    }
    FAIL("no record " << number);
    return records.front().second;
  }
};

Contents read(RocksDbTransfer& transfer) {
  Contents out;
  transfer.read_records([&](const CarriedRecord& one) { out.records.push_back(one); });
  transfer.read_entities([&](const CarriedEntity& one) { out.entities.push_back(one); });
  transfer.read_rates([&](const CarriedRate& one) { out.rates.push_back(one); });
  return out;
}

Contents contents(Fixture& fixture) {
  fixture.store.reset();
  RocksDbTransfer transfer(fixture.options, fixture.clock, Opening::existing);
  return read(transfer);
}

void write(const RocksDbOptions& options, Clock& clock, const Contents& contents) {
  RocksDbTransfer transfer(options, clock, Opening::create);
  transfer.write_records(contents.records);
  transfer.write_entities(contents.entities);
  transfer.write_rates(contents.rates);
}

std::string refusal(const RocksDbOptions& options, Clock& clock, Opening opening) {
  try {
    RocksDbTransfer transfer(options, clock, opening);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

ReserveRequest on_entity(std::uint64_t number) {
  ReserveRequest out = request(number);
  EntityTerms& entity = out.entity.emplace();
  entity.key = entity_key(1);
  entity.type = "ride";
  entity.id = "r1";
  entity.closes = 1h;
  out.rate = RateTerms{rate_key(1), 1, 1h};
  return out;
}

TEST_CASE("a store that was carried to another directory answers as the first one did") {
  Fixture first;
  first.open();
  first.complete(first.permit(on_entity(1)), answer(201, "small"));
  first.complete(first.permit(request(2)), answer(200, std::string(20'000, 'x')));
  first.mark_unknown(first.permit(request(3)));
  Permit stuck = first.permit(request(4));
  const std::uint64_t fence = stuck.fence();
  stuck.use();  // it outlives its store
  first.complete_all(100, 2'600, answer(200, "many"));
  const Contents moved = contents(first);
  CHECK(moved.records.size() == 2'504);
  CHECK(moved.of(1).answer.body == "small");
  CHECK(moved.of(2).answer.body.size() == 20'000);
  CHECK_FALSE(moved.of(2).answer_apart);
  CHECK(moved.of(3).state == Record::State::unknown);
  CHECK(moved.of(4).state == Record::State::reserved);
  CHECK(moved.entities.size() == 1);
  CHECK(moved.rates.size() == 1);

  Fixture second;
  write(second.options, second.clock, moved);
  {
    RocksDbTransfer transfer(second.options, second.clock, Opening::existing);
    CHECK(transfer.highest_fence() < fence);
    transfer.raise_fence(fence);
    transfer.raise_fence(1);
    CHECK(transfer.highest_fence() == fence);
    CHECK(transfer.write_records(moved.records) == 0);
    CHECK(transfer.write_entities(moved.entities) == 0);
    CHECK(transfer.write_rates(moved.rates) == 0);
  }
  second.open();
  const ReserveResult small = second.reserve(on_entity(1));
  REQUIRE(is<Completed>(small));
  CHECK(std::get<Completed>(small).answer.body == "small");
  const ReserveResult large = second.reserve(request(2));
  REQUIRE(is<Completed>(large));
  CHECK(std::get<Completed>(large).answer.body == std::string(20'000, 'x'));
  CHECK(is<Held>(second.reserve(request(3))));
  CHECK(is<Held>(second.reserve(request(4))));
  CHECK(is<Completed>(second.reserve(request(2'599))));
  ReserveRequest closed = on_entity(5);
  closed.rate.reset();
  closed.entity->unless_closed = true;
  CHECK(is<Closed>(second.reserve(closed)));
  ReserveRequest limited = request(6);
  limited.rate = RateTerms{rate_key(1), 1, 1h};
  CHECK(is<RateLimited>(second.reserve(limited)));
  CHECK(second.permit(request(7)).fence() > fence);
}

TEST_CASE("a reservation is carried with what is left of its lease at most") {
  Fixture fixture;
  fixture.open();
  Permit stuck = fixture.permit(request(1));
  stuck.use();  // it outlives its store
  const WallTime now = fixture.clock.now();
  const Record moved = contents(fixture).of(1);
  CHECK(moved.lease_ends >= now + Terms().lease);
  CHECK(moved.lease_ends <= fixture.clock.now() + Terms().lease);
  CHECK(moved.expires > moved.lease_ends);
}

TEST_CASE("expired records are not moved, and do not block new ones") {
  Fixture fixture;
  fixture.open();
  fixture.complete(fixture.permit(request(1)), answer(200, "old"));
  const Contents before = contents(fixture);
  fixture.clock.advance(Terms().window + 1h);
  CHECK(contents(fixture).records.empty());
  Contents fresh = before;
  fresh.records[0].second.expires = fixture.clock.now() + 1h;
  RocksDbTransfer transfer(fixture.options, fixture.clock, Opening::existing);
  CHECK(transfer.write_records(fresh.records) == 1);
  CHECK(read(transfer).records.size() == 1);
}

TEST_CASE("times are told by the wall clock, whatever the store's own says") {
  Fixture fixture;
  fixture.open();
  fixture.complete(fixture.permit(request(1)), answer(200, "x"));
  const WallTime plain = contents(fixture).of(1).expires;
  fixture.clock.set_wall_ahead(10min);
  const Contents moved = contents(fixture);
  CHECK(moved.of(1).expires == plain + 10min);
  Fixture other;
  write(other.options, other.clock, moved);
  CHECK(contents(other).of(1).expires == plain + 10min);
}

TEST_CASE("a store that is in use, in doubt or not there is refused") {
  Fixture fixture;
  CHECK(refusal(fixture.options, fixture.clock, Opening::existing)
            .find("there is no store; check store.rocksdb.path") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(fixture.options.path));
  fixture.open();
  CHECK(refusal(fixture.options, fixture.clock, Opening::existing).find("in use") !=
        std::string::npos);
  fixture.store.reset();
  fixture.clock.doubt(true);
  CHECK(refusal(fixture.options, fixture.clock, Opening::existing).find("its clock is in doubt") !=
        std::string::npos);
}

TEST_CASE("a record that cannot be read ends the reading with its name") {
  Fixture fixture;
  fixture.open();
  fixture.complete(fixture.permit(request(1)), answer(200, std::string(20'000, 'x')));
  const Contents moved = contents(fixture);
  Record apart = moved.of(1);
  apart.answer_apart = true;
  apart.nonce = {};
  {
    Fixture other;
    const RocksDbObserver observer = other.seen.observer();
    Database database(other.options, other.tuning, other.clock, observer);
    database.open();
    rocksdb::WriteBatch batch;
    database.add(batch, Family::records, fingerprint(1).view(), encode(apart));
    REQUIRE(database.write(batch, true).ok());
    database.close();
    RocksDbTransfer transfer(other.options, other.clock, Opening::existing);
    CHECK_THROWS_WITH(read(transfer),
                      Catch::Contains("the answer of " + fingerprint(1).hex() + " cannot be read"));
  }
}

}  // namespace
