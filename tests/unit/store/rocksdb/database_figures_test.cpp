#include "store/rocksdb/database.hpp"

#include <catch2/catch.hpp>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

TEST_CASE("writes that are in no file yet count as memory") {
  Fixture fixture;
  const RocksDbObserver observer;
  Database database(fixture.options, fixture.tuning, fixture.clock, observer);
  database.open();
  const std::uint64_t before = database.figures().memtable_bytes;
  for (const Family family : {Family::records, Family::answers}) {
    rocksdb::WriteBatch batch;
    for (int i = 0; i < 1000; ++i) {
      std::string key(32, '\0');
      std::memcpy(key.data(), &i, sizeof i);
      database.add(batch, family, key, std::string(1000, 'x'));
    }
    REQUIRE(database.write(batch, false).ok());
  }
  const RocksDbFigures figures = database.figures();
  // Of both families: one alone would come to half of it.
  CHECK(figures.memtable_bytes > before + 1'900'000);
  CHECK_FALSE(figures.writes_stopped);
  CHECK(figures.delayed_write_rate == 0);
  CHECK(figures.background_errors == 0);
  database.close();
  CHECK(database.figures().memtable_bytes == 0);
}

TEST_CASE("a shared block cache counts once") {
  Fixture fixture;
  fixture.open();
  const std::uint64_t used = fixture.store->figures().block_cache_bytes;
  CHECK(used > 0);
  CHECK(used <= fixture.tuning.cache_bytes);
}
