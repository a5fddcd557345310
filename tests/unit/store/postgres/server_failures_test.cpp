// What the database's server does to the shared store, and what must not become of it: slow
// statements, sessions that end, errors.
#include <algorithm>
#include <catch2/catch.hpp>
#include <mutex>
#include <string>
#include <vector>

#include "store/postgres/postgres_store.hpp"
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
      "operations (fingerprint, state, nonce, holder, fence, attempt, created, settled, "
      "lease_ends, "
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
  std::atomic<std::size_t> events{0};
  PostgresObserver observer;
  observer.event = [&](std::string_view) { ++events; };
  PostgresOptions options = server.options();
  // A slow machine is no failure of the server either.
  options.operation_timeout = 20s;
  const auto store = open_tuned(options, 1, quick(), clock, observer);
  PollLoop loop;
  Together together(*store, loop);
  std::uint64_t number = 0;
  const auto ask = [&] {
    std::vector<ReserveRequest> asked;
    for (int i = 0; i < 50; ++i) {
      asked.push_back(request(++number));
      asked.back().rate.emplace().key = rate_key(number);  // each has a statement of its own
    }
    for (const ReserveResult& result : together.reserve(asked)) CHECK(is<Reserved>(result));
  };
  CHECK(within(10s, [&] {
    ask();
    return store->stats().connections > 4;
  }));
  // The setting of the role does not apply to them: they stay, though nothing is asked.
  CHECK(eventually([&] {
    return server.sql(
               "SELECT count(*) >= 2 FROM pg_stat_activity WHERE application_name = 'onceproxy' "
               "AND state = 'idle' AND clock_timestamp() - state_change > interval '600 ms'") ==
           "t";
  }));
  // Now and then a session is asked just as it is ended, which is a failure. So one round without
  // any is enough.
  std::size_t rounds_without = 0;
  for (int round = 0; round < 4 && rounds_without == 0; ++round) {
    CHECK(within(10s, [&] {
      ask();
      return store->stats().connections > 4;
    }));
    const std::size_t events_before = events;
    const std::uint64_t before = store->stats().connects;
    server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
        "'onceproxy' AND state = 'idle'");
    CHECK(within(5s, [&] { return store->stats().connects > before; }));
    if (events == events_before) ++rounds_without;
  }
  CHECK(rounds_without > 0);
  ask();
  leave(*store, loop);
  store->close();
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

namespace {

/// Lets the next `times` inserts of operations fail with that SQLSTATE.
void fail_inserts(const PostgresServer& server, const std::string& schema, const std::string& state,
                  int times) {
  server.sql("DROP SEQUENCE IF EXISTS " + schema + ".inserts");
  server.sql("CREATE SEQUENCE " + schema + ".inserts");
  server.sql("CREATE OR REPLACE FUNCTION " + schema +
             ".fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('inserts') <= " +
             std::to_string(times) + " THEN RAISE EXCEPTION 'made to fail' USING ERRCODE = '" +
             state + "'; END IF; RETURN NEW; END $$");
  server.sql("CREATE OR REPLACE TRIGGER fails BEFORE INSERT ON " + schema +
             ".operations FOR EACH ROW EXECUTE FUNCTION " + schema + ".fails()");
}

}  // namespace

TEST_CASE("postgres: conflicts and deadlocks are tried again, other errors are reported by kind") {
  ONCEPROXY_NEEDS_POSTGRES();
  struct Case {
    const char* state;
    const char* kind;
    bool repeated;
  };
  const Case which = GENERATE(Case{"40001", "conflict", true}, Case{"40P01", "deadlock", true},
                              Case{"57P01", "shutdown", true}, Case{"53100", "disk_full", false},
                              Case{"53200", "resources", false}, Case{"25006", "read_only", false},
                              Case{"57014", "statement_timeout", false},
                              Case{"42501", "permission", false}, Case{"58030", "other", false});
  CAPTURE(which.state);
  const PostgresServer& server = PostgresServer::shared();
  StoreClock clock;
  PostgresOptions options = server.options();
  options.operation_timeout = 10s;  // a new session may take long on a busy machine
  std::mutex mutex;
  std::vector<std::string> kinds;
  PostgresObserver observer;
  observer.failed = [&](std::string_view kind) {
    const std::lock_guard lock(mutex);
    kinds.emplace_back(kind);
  };
  const auto store = open_tuned(options, 1, quick(), clock, observer);
  Verbs verbs(*store);
  fail_inserts(server, options.schema, which.state, which.repeated ? 2 : 1);
  ReserveResult first = verbs.reserve(request(1));
  {
    const std::lock_guard lock(mutex);
    // A second one may be under way on a session that is being closed, whose end is reported
    // instead.
    const auto times = std::count(kinds.begin(), kinds.end(), which.kind);
    CHECK(times >= 1);
    CHECK(times <= (which.repeated ? 2 : 1));
  }
  if (!which.repeated) {
    CHECK(is_unavailable(first, Unavailable::Reason::failed));
    first = verbs.until<Reserved>(request(1));
  }
  REQUIRE(is<Reserved>(first));
  CHECK(std::get<Reserved>(first).attempt == 1);
  CHECK(verbs.complete(std::move(std::get<Reserved>(first).permit), answer(200, "x")) ==
        Settled::done);
  CHECK(store->failure().empty());
  store->close();
}

TEST_CASE("postgres: operations that no session has room for are refused by their own kind") {
  ONCEPROXY_NEEDS_POSTGRES();
  const PostgresServer& server = PostgresServer::shared();
  StoreClock clock;
  PostgresOptions options = server.options();
  options.connections = 1;
  options.queue_max = 2;
  PostgresTuning tuning = quick();
  tuning.pipeline_max = 2;
  std::atomic<int> refused{0};
  PostgresObserver observer;
  observer.failed = [&](std::string_view kind) { refused += kind == "pool_full" ? 1 : 0; };
  const auto store = open_tuned(options, 1, tuning, clock, observer);
  PollLoop loop;
  Run run(*store, loop);
  CHECK(run.finishes(1));
  const pq::ConnectionPtr session(PQconnectdb(server.url().c_str()));
  onceproxy::store::run(session.get(), "BEGIN", "begin");
  onceproxy::store::run(session.get(), "LOCK TABLE " + options.schema + ".operations", "lock");
  post(loop, [&] {
    for (std::uint64_t number = 2; number < 10; ++number) run.begin(number);
  });
  CHECK(within(5s, [&] { return refused >= 4; }));
  onceproxy::store::run(session.get(), "COMMIT", "commit");
  CHECK(run.signal.wait([&] { return run.done == 9 - static_cast<std::uint64_t>(refused); }));
  leave(*store, loop);
  store->close();
}

TEST_CASE("postgres: one timeout does not keep duplicates apart for good") {
  ONCEPROXY_NEEDS_POSTGRES();
  const PostgresServer& server = PostgresServer::shared();
  StoreClock clock;
  PostgresOptions options = server.options();
  options.operation_timeout = 500ms;
  options.cache_bytes = 0;  // every replay asks the database
  const auto store = open_tuned(options, 1, quick(), clock, {});
  PollLoop loop;
  Together together(*store, loop);
  Verbs verbs(*store);
  std::vector<ReserveRequest> asked;
  for (std::uint64_t number = 1; number <= 40; ++number) {
    asked.push_back(request(number));
    CHECK(verbs.complete(verbs.until<Reserved>(asked.back()).permit, answer(200, "x")) ==
          Settled::done);
  }
  // A replay is answered too late, whatever the server's own timeout says.
  server.sql("CREATE TABLE " + options.schema + ".slow AS SELECT 1 AS one");
  server.sql(
      "CREATE OR REPLACE FUNCTION " + options.schema +
      ".now_ms() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT FROM slow) "
      "THEN BEGIN PERFORM pg_sleep(1); EXCEPTION WHEN query_canceled THEN NULL; END; END IF; "
      "RETURN (date_part('epoch', clock_timestamp()) * 1000)::bigint; END $$");
  const std::uint64_t timeouts = store->stats().timeouts;
  CHECK(is_unavailable(verbs.reserve(request(1)), Unavailable::Reason::failed));
  CHECK(store->stats().timeouts > timeouts);
  server.sql("DELETE FROM " + options.schema + ".slow");
  // Forty of them need a few statements together, and forty by themselves.
  CHECK(within(20s, [&] {
    const std::uint64_t before = store->stats().round_trips;
    for (const ReserveResult& result : together.reserve(asked)) REQUIRE(is<Completed>(result));
    return store->stats().round_trips - before < 30;
  }));
  leave(*store, loop);
  store->close();
}
