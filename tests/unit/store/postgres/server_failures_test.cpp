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

TEST_CASE("postgres: sessions that the server ends while nothing is asked are no failure") {
  ONCEPROXY_NEEDS_POSTGRES();
  PostgresServer server;
  server.sql("ALTER ROLE owner SET idle_session_timeout = '200ms'");
  StoreClock clock;
  std::atomic<int> events{0};
  PostgresObserver observer;
  observer.event = [&](std::string_view) { ++events; };
  const auto store = open_tuned(server.options(), 1, quick(), clock, observer);
  PollLoop loop;
  Together together(*store, loop);
  std::uint64_t number = 0;
  const auto ask = [&] {
    std::vector<ReserveRequest> asked;
    for (int i = 0; i < 50; ++i) {
      asked.push_back(request(++number));
      asked.back().wait = 1ms;  // each has a statement of its own
    }
    for (const ReserveResult& result : together.reserve(asked)) CHECK(is<Reserved>(result));
  };
  CHECK(within(10s, [&] {
    ask();
    return store->stats().connections > 4;
  }));
  // The setting of the role does not apply to them.
  const std::uint64_t connects = store->stats().connects;
  std::this_thread::sleep_for(600ms);
  CHECK(store->stats().connects == connects);
  for (std::uint64_t round = 0; round < 4; ++round) {
    const std::uint64_t before = store->stats().connects;
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
               "'onceproxy' AND state = 'idle'");
    CHECK(within(5s, [&] { return store->stats().connects > before; }));
  }
  CHECK(events == 0);
  ask();
  leave(*store, loop);
  store->close();
}

TEST_CASE("postgres: the owner of a schema migrates it without being allowed to create one") {
  ONCEPROXY_NEEDS_POSTGRES();
  PostgresServer& server = PostgresServer::shared();
  server.sql("CREATE ROLE plain LOGIN");
  server.sql("CREATE SCHEMA prepared AUTHORIZATION plain");
  PostgresOptions options;
  options.url = server.url_of("plain");
  options.schema = "prepared";
  CHECK(migrate(options, false, [](std::string_view) {}) == 0);
  CHECK(schema_version(options) == schema_version_now);
  options.schema = "missing";
  CHECK_THROWS_WITH(migrate(options, false, [](std::string_view) {}),
                    Catch::Contains("permission denied"));
}

TEST_CASE("postgres: a reserve that was lost does not reserve again after the release") {
  ONCEPROXY_NEEDS_POSTGRES();
  StoreClock clock;
  PostgresOptions options = PostgresServer::shared().options();
  options.operation_timeout = 3'000ms;
  PostgresTuning tuning = quick();
  tuning.silence_max = 300ms;
  const auto sql = [](const std::string& text) { return PostgresServer::shared().sql(text); };
  const std::string schema = options.schema + ".";
  // The first statement is executed a second after its session was given up.
  sql("CREATE SEQUENCE " + schema + "inserts");
  sql("CREATE FUNCTION " + schema +
      "late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('inserts') = 1 THEN "
      "PERFORM pg_sleep(1.3); END IF; RETURN NEW; END $$");
  sql("CREATE TRIGGER late BEFORE INSERT ON " + schema +
      "operations FOR EACH ROW EXECUTE FUNCTION " + schema + "late()");
  const auto store = open_tuned(options, 1, tuning, clock, {});
  Verbs verbs(*store);
  ReserveRequest asked = request(1);
  asked.terms.lease = 60s;
  CHECK(verbs.release(verbs.permit(asked)) == Settled::done);
  const auto rows = [&] { return sql("SELECT count(*) FROM " + schema + "operations"); };
  CHECK(rows() == "0");
  CHECK(within(5s, [&] { return rows() == "1"; }));
  CHECK(within(10s, [&] { return rows() == "0"; }));
  store->close();
}
