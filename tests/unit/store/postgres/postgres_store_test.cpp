// The shared store and its database: failures of the server, leases, memory.
#include "store/postgres/postgres_store.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "store_run.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

class Cut final : public LeaseWatch {
 public:
  void lease_ended() override { ended = true; }
  std::atomic<bool> ended{false};
};

}  // namespace

TEST_CASE("postgres: a restart of the server loses nothing, and is got over") {
  ONCEPROXY_NEEDS_POSTGRES();
  PostgresServer server;
  StoreClock clock;
  PostgresOptions options = server.options();
  const auto store = open_tuned(options, 1, quick(), clock, {});
  Verbs verbs(*store);
  CHECK(verbs.complete(verbs.permit(request(1)), answer(200, "kept")) == Settled::done);
  Permit permit = verbs.permit(request(2));
  server.restart();
  CHECK(verbs.until<Completed>(request(1)).answer.body == "kept");
  CHECK(within(10s, [&] { return store->failure().empty(); }));
  CHECK(is<InFlight>(verbs.reserve(request(2))));
  CHECK(verbs.complete(std::move(permit), answer(200, "over")) == Settled::done);
  store->close();
}

TEST_CASE("postgres: an outcome that could not be written is written later") {
  ONCEPROXY_NEEDS_POSTGRES();
  PostgresServer server;
  StoreClock clock;
  PostgresOptions options = server.options();
  options.operation_timeout = 500ms;
  const auto store = open_tuned(options, 1, quick(), clock, {});
  Verbs verbs(*store);
  Permit permit = verbs.permit(request(1));
  server.stop_primary();
  CHECK(verbs.complete(std::move(permit), answer(200, "late")) == Settled::failed);
  // Still known here while the database is away: at first it is asked, later it is not.
  for (int i = 0; i < 8; ++i) CHECK(is<Held>(verbs.reserve(request(1))));
  CHECK(is_unavailable(verbs.reserve(request(2)), Unavailable::Reason::failed));
  CHECK(within(5s, [&] { return store->stats().retained == 1; }));
  server.start_primary();
  CHECK(verbs.until<Completed>(request(1)).answer.body == "late");
  store->close();
}

TEST_CASE("postgres: what is kept for the database is not executed again while that is away") {
  ONCEPROXY_NEEDS_POSTGRES();
  PostgresServer server;
  StoreClock clock;
  PostgresOptions options = server.options();
  options.operation_timeout = 500ms;
  const auto store = open_tuned(options, 1, quick(), clock, {});
  Verbs verbs(*store);
  ReserveRequest asked = request(1);
  asked.terms.lease = 4s;
  asked.payload = payload(1);
  Permit permit = verbs.permit(asked);
  server.stop_primary();
  const auto lease_ends = std::chrono::steady_clock::now() + asked.terms.lease;
  CHECK(verbs.complete(std::move(permit), answer(200, "late")) == Settled::failed);
  CHECK(within(3s, [&] { return store->stats().circuit_open; }));
  // Before the end of the lease and after it.
  REQUIRE(within(2 * asked.terms.lease, [&] {
    REQUIRE(is<Held>(verbs.reserve(asked)));
    return std::chrono::steady_clock::now() > lease_ends;
  }));
  CHECK(is<Held>(verbs.reserve(asked)));
  asked.payload = payload(2);
  CHECK(is<Mismatch>(verbs.reserve(asked)));
  store->close();
}

TEST_CASE("postgres: what is under way here is in flight though the database answers too late") {
  ONCEPROXY_NEEDS_POSTGRES();
  const PostgresServer& server = PostgresServer::shared();
  StoreClock clock;
  PostgresOptions options = server.options();
  options.operation_timeout = 500ms;
  PostgresTuning tuning = quick();
  tuning.circuit_failures = 1'000;
  const auto store = open_tuned(options, 1, tuning, clock, {});
  Verbs verbs(*store);
  const Permit permit = std::move(verbs.until<Reserved>(request(1)).permit);
  const pq::ConnectionPtr session(PQconnectdb(server.url().c_str()));
  onceproxy::store::run(session.get(), "BEGIN", "begin");
  onceproxy::store::run(session.get(), "LOCK TABLE " + options.schema + ".operations", "lock");
  ReserveRequest asked = request(1);
  asked.wait = 1s;
  CHECK(is<InFlight>(verbs.reserve(asked)));
  CHECK(is_unavailable(verbs.reserve(request(2)), Unavailable::Reason::failed));
  onceproxy::store::run(session.get(), "COMMIT", "commit");
  store->close();
}

TEST_CASE("postgres: a lease is renewed while its request is under way") {
  ONCEPROXY_NEEDS_POSTGRES();
  StoreClock clock;
  const PostgresOptions options = PostgresServer::shared().options();
  const auto store = open_tuned(options, 1, quick(), clock, {});
  Verbs verbs(*store);
  ReserveRequest asked = request(1);
  asked.terms.lease = 400ms;
  Permit permit = verbs.permit(asked);
  const auto ask = [&](const std::string& expression) {
    return PostgresServer::shared().sql("SELECT " + expression + " FROM " + options.schema +
                                        ".operations");
  };
  // By the database's clock. What is in the table may be renewed already.
  const std::string end = ask("lease_ends");
  REQUIRE(eventually([&] { return ask(options.schema + ".now_ms() > " + end) == "t"; }));
  CHECK(ask("lease_ends > " + end) == "t");
  CHECK(is<InFlight>(verbs.reserve(asked)));
  CHECK(verbs.complete(std::move(permit), answer(200, "")) == Settled::done);
  store->close();
}

TEST_CASE("postgres: a row that somebody has locked keeps no other lease from being renewed") {
  ONCEPROXY_NEEDS_POSTGRES();
  const PostgresServer& server = PostgresServer::shared();
  StoreClock clock;
  PostgresOptions options = server.options();
  options.operation_timeout = 1'000ms;
  const auto store = open_tuned(options, 1, quick(), clock, {});
  Verbs verbs(*store);
  DirectLoop loop;
  std::vector<Permit> permits;
  std::vector<std::shared_ptr<Cut>> cuts;
  for (std::uint64_t number = 1; number <= 2; ++number) {
    ReserveRequest asked = request(number);
    asked.terms.lease = 2s;
    permits.push_back(verbs.permit(asked));
    cuts.push_back(std::make_shared<Cut>());
    store->watch_lease(permits.back(), loop, cuts.back());
  }
  const pq::ConnectionPtr session(PQconnectdb(server.url().c_str()));
  onceproxy::store::run(session.get(), "BEGIN", "begin");
  onceproxy::store::run(session.get(),
                        "SELECT 1 FROM " + options.schema +
                            ".operations WHERE fence = (SELECT min(fence) FROM " + options.schema +
                            ".operations) FOR UPDATE",
                        "lock");
  CHECK(within(20s, [&] { return cuts[0]->ended.load(); }));
  // The lease of the other one would be over at nearly the same time.
  CHECK_FALSE(within(2s, [&] { return cuts[1]->ended.load(); }));
  CHECK(store->holds(permits[1]));
  onceproxy::store::run(session.get(), "COMMIT", "commit");
  CHECK(verbs.complete(std::move(permits[1]), answer(200, "")) == Settled::done);
  CHECK(verbs.complete(std::move(permits[0]), answer(200, "")) == Settled::refused);
  store->close();
}

TEST_CASE("postgres: who cannot renew is told, and settles nothing") {
  ONCEPROXY_NEEDS_POSTGRES();
  PostgresServer server;
  StoreClock clock;
  PostgresOptions options = server.options();
  options.operation_timeout = 200ms;
  const auto store = open_tuned(options, 1, quick(), clock, {});
  Verbs verbs(*store);
  ReserveRequest asked = request(1);
  asked.terms.lease = 800ms;
  // The first connection may take longer than this test lets an operation take.
  Permit permit = std::move(verbs.until<Reserved>(asked).permit);
  const auto cut = std::make_shared<Cut>();
  DirectLoop loop;
  store->watch_lease(permit, loop, cut);
  server.stop_primary();
  CHECK(within(10s, [&] { return cut->ended.load(); }));
  CHECK(store->stats().leases_lost == 1);
  CHECK(verbs.complete(std::move(permit), answer(200, "")) == Settled::refused);
  server.start_primary();
  const auto taken = verbs.until<Reserved>(asked).attempt;
  CHECK(taken == 2);
  store->close();
}

TEST_CASE("postgres: a replay within a second asks nobody, and forgetting is seen after it") {
  ONCEPROXY_NEEDS_POSTGRES();
  StoreClock clock;
  const PostgresOptions options = PostgresServer::shared().options();
  const auto one = open_tuned(options, 1, quick(), clock, {});
  const auto other = open_tuned(options, 1, quick(), clock, {});
  Verbs verbs(*one);
  CHECK(verbs.complete(verbs.permit(request(1)), answer(200, "kept")) == Settled::done);
  ReserveRequest asked = request(1);
  CHECK(is<Completed>(verbs.reserve(asked)));
  CHECK(one->stats().cache_hits == 1);
  asked.may_be_ended = true;
  CHECK(is<Completed>(verbs.reserve(asked)));
  CHECK(one->stats().cache_hits == 1);
  CHECK(other->inspection().forget(fingerprint(1)) == Changed::done);
  CHECK(within(2s, [&] { return is<Reserved>(verbs.reserve(request(1))); }));
  one->close();
  other->close();
}

TEST_CASE("postgres: a request is cut off when an operator releases its operation") {
  ONCEPROXY_NEEDS_POSTGRES();
  StoreClock clock;
  const PostgresOptions options = PostgresServer::shared().options();
  const auto one = open_tuned(options, 1, quick(), clock, {});
  const auto other = open_tuned(options, 1, quick(), clock, {});
  Verbs verbs(*one);
  DirectLoop loop;
  for (PostgresStore* const asked : {one.get(), other.get()}) {
    Permit permit = verbs.permit(request(1));
    const auto cut = std::make_shared<Cut>();
    one->watch_lease(permit, loop, cut);
    CHECK(one->holds(permit));
    CHECK(asked->inspection().release(fingerprint(1)) == Changed::done);
    CHECK(within(5s, [&] { return cut->ended.load(); }));
    CHECK_FALSE(one->holds(permit));
    CHECK(verbs.complete(std::move(permit), answer(200, "")) == Settled::refused);
  }
  one->close();
  other->close();
}

TEST_CASE("postgres: a request is cut off though the notification of its release was lost") {
  ONCEPROXY_NEEDS_POSTGRES();
  const PostgresServer& server = PostgresServer::shared();
  StoreClock clock;
  const PostgresOptions options = server.options();
  const auto store = open_tuned(options, 1, quick(), clock, {});
  Verbs verbs(*store);
  CHECK(within(10s, [&] { return store->stats().hears; }));
  // Its lease is renewed after ten minutes.
  ReserveRequest asked = request(1);
  asked.terms.lease = 40min;
  Permit permit = verbs.permit(asked);
  const auto cut = std::make_shared<Cut>();
  DirectLoop loop;
  store->watch_lease(permit, loop, cut);
  // As another instance does it, whose notification came while nobody listened.
  server.sql("SET search_path = " + options.schema +
             "; SELECT operator_release(fingerprint, false) FROM operations");
  CHECK_FALSE(cut->ended.load());
  server.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
      "'onceproxy'");
  CHECK(within(10s, [&] { return cut->ended.load(); }));
  CHECK(verbs.complete(std::move(permit), answer(200, "")) == Settled::refused);
  store->close();
}

TEST_CASE("postgres: an operation costs two round trips, a replay one, and from memory none") {
  ONCEPROXY_NEEDS_POSTGRES();
  // Upkeep would add some. It runs once, at the start.
  PostgresTuning tuning = quick();
  tuning.tick = tuning.beat = 1h;
  StoreClock clock;
  const PostgresOptions options = PostgresServer::shared().options();
  const auto one = open_tuned(options, 1, tuning, clock, {});
  const auto other = open_tuned(options, 1, tuning, clock, {});
  Verbs verbs(*one);
  Verbs others(*other);
  const auto costs = [](PostgresStore& store, const std::function<void()>& what) {
    const std::uint64_t before = store.stats().round_trips;
    what();
    return store.stats().round_trips - before;
  };
  std::uint64_t number = 0;
  const auto execute = [&] {
    CHECK(verbs.complete(verbs.permit(request(number)), answer(200, "x")) == Settled::done);
  };
  const auto replay = [&] { CHECK(is<Completed>(others.reserve(request(number)))); };
  std::vector<std::uint64_t> found;
  const std::vector<std::uint64_t> wanted{2, 1, 0};
  for (number = 1; number <= 10 && found != wanted; ++number) {
    found = {costs(*one, execute), costs(*other, replay), costs(*other, replay)};
  }
  CHECK(found == wanted);
  one->close();
  other->close();
}

TEST_CASE("postgres: what has expired is removed") {
  ONCEPROXY_NEEDS_POSTGRES();
  StoreClock clock;
  const PostgresOptions options = PostgresServer::shared().options();
  const auto store = open_tuned(options, 1, quick(), clock, {});
  Verbs verbs(*store);
  for (std::uint64_t number = 1; number <= 20; ++number) {
    ReserveRequest asked = request(number);
    if (number > 5) asked.terms.window = 1ms;
    CHECK(verbs.complete(verbs.permit(asked), answer(200, "")) == Settled::done);
  }
  const auto rows = [&] {
    return PostgresServer::shared().sql("SELECT count(*) FROM " + options.schema + ".operations");
  };
  CHECK(within(10s, [&] { return rows() == "5"; }));
  store->close();
}

TEST_CASE("postgres: a clock of the server that is set costs nothing but a round trip") {
  ONCEPROXY_NEEDS_POSTGRES();
  StoreClock clock;
  const PostgresOptions options = PostgresServer::shared().options();
  const auto store = open_tuned(options, 1, quick(), clock, {});
  Verbs verbs(*store);
  std::uint64_t number = 1;
  Permit permit = verbs.permit(request(number));
  const auto set_clock = [&](const std::string& seconds) {
    PostgresServer::shared().sql(
        "CREATE OR REPLACE FUNCTION " + options.schema +
        ".now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS "
        "'SELECT (date_part(''epoch'', clock_timestamp()) * 1000)::bigint + " +
        seconds + "000'");
  };
  for (const std::string seconds : {"4", "8", "-20"}) {
    set_clock(seconds);
    CHECK(verbs.complete(std::move(permit), answer(200, "x")) == Settled::done);
    permit = verbs.permit(request(++number));
  }
  CHECK(verbs.complete(std::move(permit), answer(200, "x")) == Settled::done);
  store->close();
}

TEST_CASE("postgres: calls of a loop that watches sockets have connections of their own") {
  ONCEPROXY_NEEDS_POSTGRES();
  StoreClock clock;
  const auto store = open_tuned(PostgresServer::shared().options(), 1, quick(), clock, {});
  PollLoop loop;
  constexpr std::uint64_t requests = 200;
  Run run(*store, loop);
  post(loop, [&] {
    for (std::uint64_t number = 1; number <= requests; ++number) run.begin(number);
  });
  CHECK(run.signal.wait([&] { return run.done == requests; }));
  CHECK(store->stats().connections >= 2);
  leave(*store, loop);
  store->close();
}

TEST_CASE("postgres: who gave up while the database queued it leaves the queue for the turn") {
  ONCEPROXY_NEEDS_POSTGRES();
  StoreClock clock;
  PostgresOptions options = PostgresServer::shared().options();
  options.operation_timeout = 500ms;
  const auto store = open_tuned(options, 1, quick(), clock, {});
  Verbs verbs(*store);
  ReserveRequest first = request(1);
  first.entity.emplace().key = entity_key(1);
  first.entity->turn = 0ms;
  Permit permit = verbs.permit(first);
  // The queueing lasts until the statement's time is over, and somewhat longer; what it has done is
  // written down.
  const auto sql = [&](const std::string& text) { return PostgresServer::shared().sql(text); };
  const std::string entities = options.schema + ".entities";
  const std::string queued = options.schema + ".queued";
  sql("CREATE TABLE " + queued + " (number integer)");
  sql("CREATE FUNCTION " + options.schema +
      ".queue_slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "BEGIN PERFORM pg_sleep(30); EXCEPTION WHEN query_canceled THEN NULL; END; "
      "PERFORM pg_sleep(0.3); INSERT INTO " +
      queued + " VALUES (1); RETURN NEW; END $$");
  sql("CREATE TRIGGER slow BEFORE UPDATE ON " + entities +
      " FOR EACH ROW WHEN (cardinality(NEW.queue) = 1) EXECUTE FUNCTION " + options.schema +
      ".queue_slowly()");
  ReserveRequest second = request(2);
  second.entity = first.entity;
  second.entity->turn = 60s;
  CHECK(is_unavailable(verbs.reserve(second), Unavailable::Reason::failed));
  CHECK(within(10s, [&] { return sql("SELECT count(*) FROM " + queued) == "1"; }));
  // A place that is left there would hold others up for six seconds.
  CHECK(within(3s, [&] { return sql("SELECT cardinality(queue) FROM " + entities) == "0"; }));
  CHECK(verbs.release(std::move(permit)) == Settled::done);
  store->close();
}
