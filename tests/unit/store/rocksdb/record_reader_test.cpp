#include "store/rocksdb/record_reader.hpp"

#include <catch2/catch.hpp>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

/// A database and a reader over it, so that a test changes the one behind the other's back.
struct Reading {
  Reading() { database.open(); }

  void put(const Record& record) {
    rocksdb::WriteBatch batch;
    database.add(batch, Family::records, asked.fingerprint.view(), encode(record));
    REQUIRE(database.write(batch, false).ok());
  }
  void erase() {
    rocksdb::WriteBatch batch;
    database.add(batch, Family::records, asked.fingerprint.view(), std::nullopt);
    REQUIRE(database.write(batch, false).ok());
  }
  Record completed() const {
    Record out;
    out.state = Record::State::completed;
    out.payload = payload(1);
    out.expires = clock.now() + 1h;
    out.answer = answer(201, "made");
    return out;
  }
  Looked look(bool claimed) { return reader.look(asked, clock.now(), claimed); }

  TemporaryDirectory directory;
  ManualClock clock;
  Seen seen;
  RocksDbOptions options = [this] {
    RocksDbOptions out;
    out.path = directory.path() / "store";
    return out;
  }();
  const RocksDbObserver observer = seen.observer();
  Database database{options, Tuning{}, clock, observer};
  CompletedCache cache{1 << 20};
  const Era era;
  RecordReader reader{database, cache, observer, era};
  ReserveRequest asked = [] {
    ReserveRequest out = request(1);
    out.payload = payload(1);
    return out;
  }();
};

}  // namespace

TEST_CASE_METHOD(Reading, "a completed record that was read with the claim is read once") {
  put(completed());
  REQUIRE(std::holds_alternative<Completed>(look(true)));
  erase();
  const Looked again = look(false);
  REQUIRE(std::holds_alternative<Completed>(again));
  CHECK(std::get<Completed>(again).answer.body == "made");
}

TEST_CASE_METHOD(Reading, "a record that was read without the claim is not kept in memory") {
  put(completed());
  REQUIRE(std::holds_alternative<Completed>(look(false)));
  erase();
  CHECK(std::holds_alternative<Free>(look(false)));
}

TEST_CASE_METHOD(Reading, "another payload is refused from memory as from the disk") {
  put(completed());
  REQUIRE(std::holds_alternative<Completed>(look(true)));
  asked.payload = payload(2);
  CHECK(std::holds_alternative<Mismatch>(look(true)));
}

TEST_CASE_METHOD(Reading, "a record that another payload asked for is not kept") {
  put(completed());
  asked.payload = payload(2);
  REQUIRE(std::holds_alternative<Mismatch>(look(true)));
  CHECK(cache.bytes() == 0);
}

TEST_CASE_METHOD(Reading, "a kept record expires as one on disk does") {
  put(completed());
  REQUIRE(std::holds_alternative<Completed>(look(true)));
  clock.advance(1h);
  CHECK(std::holds_alternative<Free>(look(true)));
}

TEST_CASE_METHOD(Reading, "only completed records are kept") {
  Record record = completed();
  record.state = GENERATE(Record::State::reserved, Record::State::unknown);
  record.lease_ends = clock.now() + 30s;
  put(record);
  REQUIRE(std::holds_alternative<Held>(look(true)));
  CHECK(cache.bytes() == 0);
}

TEST_CASE_METHOD(Reading, "an answer that lies apart is kept with its record") {
  Record record = completed();
  record.answer_apart = true;
  rocksdb::WriteBatch batch;
  database.add(batch, Family::answers, answer_key(asked.fingerprint, record),
               encode_answer(record.answer));
  REQUIRE(database.write(batch, false).ok());
  put(record);
  REQUIRE(std::holds_alternative<Completed>(look(true)));
  erase();
  const Looked again = look(true);
  REQUIRE(std::holds_alternative<Completed>(again));
  CHECK(std::get<Completed>(again).answer.body == "made");
}

TEST_CASE_METHOD(Fixture, "a forgotten operation is forgotten though it was replayed from memory") {
  open();
  complete(permit(request(1)), answer(201, "first"));
  REQUIRE(is<Completed>(reserve(request(1))));
  REQUIRE(is<Completed>(reserve(request(1))));
  CHECK(store->inspection().forget(fingerprint(1)) == Changed::done);
  complete(permit(request(1)), answer(201, "second"));
  for (int i = 0; i < 3; ++i) {
    const ReserveResult again = reserve(request(1));
    REQUIRE(is<Completed>(again));
    CHECK(std::get<Completed>(again).answer.body == "second");
  }
}

TEST_CASE_METHOD(Fixture, "an operation whose window is over is done anew and then replayed") {
  open();
  complete(permit(request(1)), answer(201, "first"));
  REQUIRE(is<Completed>(reserve(request(1))));
  clock.advance(request(1).terms.window);
  complete(permit(request(1)), answer(201, "second"));
  for (int i = 0; i < 3; ++i) {
    const ReserveResult again = reserve(request(1));
    REQUIRE(is<Completed>(again));
    CHECK(std::get<Completed>(again).answer.body == "second");
  }
}
