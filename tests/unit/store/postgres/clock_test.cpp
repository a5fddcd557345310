// The clock of the database's server, which is set while the store is in use, or is another one
// after a failover.
#include <catch2/catch.hpp>
#include <mutex>

#include "sessions.hpp"
#include "store/postgres/server_clock.hpp"
#include "store_run.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

/// So many seconds ahead of the right time.
void set_clock(const PostgresOptions& options, int seconds) {
  const auto set = [&](const std::string& function, const std::string& factor) {
    PostgresServer::shared().sql("CREATE OR REPLACE FUNCTION " + options.schema + "." + function +
                                 "() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT "
                                 "((date_part(''epoch'', clock_timestamp()) + " +
                                 std::to_string(seconds) + ") * " + factor + ")::bigint'");
  };
  set("now_ms", "1000");
  set("now_ns", "1000000000");
}

}  // namespace

TEST_CASE("clock: a limit that was in use when the clock was set back is soon free again") {
  ONCEPROXY_NEEDS_POSTGRES();
  Schema schema;
  Asked asked{"first"};
  asked.rate = "'limit', 1000000000, 1000000000";
  set_clock(schema.options, 3600);
  CHECK(schema.one.sql(asked.text()) == "1");
  set_clock(schema.options, 0);
  asked.name = "second";
  CHECK(schema.one.sql(asked.text()) == "8");
  Schema::await([&] { return schema.one.sql(asked.text()) == "1"; });
  asked.name = "third";
  CHECK(schema.one.sql(asked.text()) == "8");
}

TEST_CASE("clock: who has ended before the clock was set back is soon taken for that") {
  ONCEPROXY_NEEDS_POSTGRES();
  Schema schema;
  set_clock(schema.options, 3600);
  schema.one.sql("SELECT beat('instance')");
  CHECK(schema.one.sql(Asked{"key"}.text()) == "1");
  set_clock(schema.options, 0);
  schema.one.sql("SELECT beat('another')");
  Asked again{"key"};
  again.nonce = "again";
  CHECK(schema.one.sql(again.text()) == "4");  // it may live, and not have said so yet
  set_clock(schema.options, 11);
  schema.one.sql("SELECT beat('another')");
  CHECK(schema.one.sql(again.text()) == "5");
}

TEST_CASE("clock: a place in a queue from before the clock was set back is given up") {
  ONCEPROXY_NEEDS_POSTGRES();
  Schema schema;
  set_clock(schema.options, 3600);
  Asked first{"first", "'entity'", "0"};
  CHECK(schema.one.sql(first.text()) == "1");
  CHECK(schema.one.sql(Asked{"second", "'entity'", "6000"}.text()) == "9");
  CHECK(schema.one.sql(release("first")) == "1");
  CHECK(schema.one.sql(Asked{"third", "'entity'", "0"}.text()) == "10");
  set_clock(schema.options, 0);
  CHECK(schema.one.sql(Asked{"third", "'entity'", "0"}.text()) == "1");
}

TEST_CASE("clock: nothing is removed while the server's clock is far from this machine's") {
  ONCEPROXY_NEEDS_POSTGRES();
  StoreClock clock;
  const PostgresOptions options = PostgresServer::shared().options();
  std::mutex mutex;
  std::string told;
  PostgresObserver observer;
  observer.event = [&](std::string_view event) {
    const std::lock_guard lock(mutex);
    told.append(event).append("\n");
  };
  const auto says = [&](const std::string& text) {
    return within(10s, [&] {
      const std::lock_guard lock(mutex);
      return told.find(text) != std::string::npos;
    });
  };
  const auto rows = [&] {
    return PostgresServer::shared().sql("SELECT count(*) FROM " + options.schema + ".operations");
  };
  set_clock(options, 0);
  const auto store = open_tuned(options, 1, quick(), clock, observer);
  Verbs verbs(*store);
  CHECK(verbs.complete(verbs.permit(request(1)), answer(200, "kept")) == Settled::done);
  const auto looks = [&] { return store->stats().round_trips; };
  // The window of a day is over by this clock, and by no other.
  set_clock(options, 10 * 24 * 3600);
  CHECK(says("set forward by"));
  CHECK(says("nothing that has expired is removed"));
  const std::uint64_t before = looks();
  CHECK(within(10s, [&] { return looks() > before + 50; }));  // several sweeps
  CHECK(rows() == "1");
  set_clock(options, 0);
  CHECK(says("set back by"));
  CHECK(says("what has expired is removed again"));
  CHECK(verbs.until<Completed>(request(1)).answer.body == "kept");
  set_clock(options, 600);
  PostgresServer::shared().sql("UPDATE " + options.schema + ".operations SET expires = 1");
  CHECK(within(10s, [&] { return rows() == "0"; }));
  store->close();
}

TEST_CASE("clock: a slow answer is no step of the clock") {
  ServerClock clock;
  using Time = ServerClock::Time;
  const auto at = [](int ms) { return Time(std::chrono::milliseconds(ms)); };
  CHECK(clock.looked(5'000, at(1'000), at(1'010), 5'000).empty());
  CHECK(clock.looked(9'900, at(2'000), at(6'000), 9'900).empty());
  CHECK(clock.looked(11'000, at(7'000), at(7'010), 11'000).empty());
  CHECK(clock.looked(13'500, at(8'000), at(8'010), 13'500).size() == 1);
}
