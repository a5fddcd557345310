// The clock of the database's server, which is set while the store is in use, or is another one
// after a failover.
#include <catch2/catch.hpp>
#include <mutex>

#include "sessions.hpp"
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
