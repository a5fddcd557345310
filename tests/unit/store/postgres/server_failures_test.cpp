// What the database's server does to the shared store, and what must not become of it: slow
// statements, sessions that end, errors.
#include <algorithm>
#include <catch2/catch.hpp>
#include <mutex>
#include <thread>

#include "store/postgres/postgres_store.hpp"
#include "store/postgres/schema.hpp"
#include "store_run.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

TEST_CASE("postgres: expired rows are removed in parts that fit into the time of a statement") {
  ONCEPROXY_NEEDS_POSTGRES();
  StoreClock clock;
  PostgresOptions options = PostgresServer::shared().options();
  options.operation_timeout = 500ms;
  const auto sql = [](const std::string& text) { return PostgresServer::shared().sql(text); };
  const std::string schema = options.schema + ".";
  sql("INSERT INTO " + schema +
      "operations (fingerprint, state, nonce, holder, fence, attempt, created, settled, lease_ends, "
      "expires, keep, hold, path) SELECT sha256(n::text::bytea), 2, '', '', n, 1, 0, 0, 0, 0, 0, "
      "false, repeat('x', 200)::bytea FROM generate_series(1, 400) AS n");
  // Removing all of them at once takes two seconds.
  sql("CREATE FUNCTION " + schema +
      "slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.005); "
      "RETURN OLD; END $$");
  sql("CREATE TRIGGER slow BEFORE DELETE ON " + schema +
      "operations FOR EACH ROW EXECUTE FUNCTION " + schema + "slowly()");
  const auto store = open_tuned(options, 1, quick(), clock, {});
  CHECK(within(20s, [&] { return sql("SELECT count(*) FROM " + schema + "operations") == "0"; }));
  store->close();
}
