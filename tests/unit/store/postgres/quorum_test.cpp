// durability: quorum against a primary with a synchronous standby that is stopped, and waits that
// are cut short: only what the standby has is promised or repeated.
#include <catch2/catch.hpp>
#include <thread>

#include "store_run.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

/// A server of its own: what happens to it must not disturb other tests.
struct Quorum {
  Quorum() {
    server.start_standby();
    options = server.options();
    options.durability = Durability::quorum;
    options.operation_timeout = 1'000ms;
    tuning.tick = 20ms;
    tuning.beat = 100ms;
    tuning.probe = 50ms;
    tuning.retained_pause = 100ms;
    tuning.reconnect_last = 200ms;
    tuning.confirm_max = 300ms;
    // Nothing is answered from memory here.
    options.cache_bytes = 0;
  }
  std::unique_ptr<PostgresStore> open() { return open_tuned(options, 1, tuning, clock, {}); }

  PostgresServer server;
  PostgresOptions options;
  PostgresTuning tuning;
  StoreClock clock;
};

}  // namespace

TEST_CASE("quorum: operations go on while the standby is there") {
  ONCEPROXY_NEEDS_POSTGRES();
  Quorum quorum;
  const auto store = quorum.open();
  Verbs verbs(*store);
  CHECK(verbs.complete(verbs.permit(request(1)), answer(200, "one")) == Settled::done);
  const ReserveResult again = verbs.reserve(request(1));
  REQUIRE(is<Completed>(again));
  CHECK(std::get<Completed>(again).answer.body == "one");
  store->close();
}

TEST_CASE("quorum: a commit whose wait is cancelled is not a reservation, nor repeated") {
  ONCEPROXY_NEEDS_POSTGRES();
  Quorum quorum;
  const auto store = quorum.open();
  const auto another = quorum.open();
  Verbs verbs(*store);
  Verbs other(*another);
  Permit permit = verbs.until<Reserved>(request(1)).permit;
  quorum.server.stop_standby();

  // The reservation is in the table of the primary, and only there.
  std::optional<ReserveResult> reserved;
  std::thread reserving([&] { reserved = verbs.reserve(request(2)); });
  quorum.server.await_waiting_commit();
  quorum.server.cancel_waiting_commits();
  reserving.join();
  CHECK(is_unavailable(*reserved, Unavailable::Reason::failed));

  // So is the completion after its wait was cancelled: it is not reported as done.
  Settled settled{};
  std::thread completing([&] {
    Verbs of_thread(*store);
    settled = of_thread.complete(std::move(permit), answer(200, "local"));
  });
  std::atomic<bool> joined{false};
  std::thread cancelling([&] {
    static_cast<void>(eventually([&] {
      quorum.server.cancel_waiting_commits();
      return joined.load();
    }));
  });
  completing.join();
  CHECK(settled == Settled::failed);
  CHECK(is<Held>(verbs.reserve(request(1))));
  // The row is there to be seen, and says that it is completed.
  CHECK(quorum.server.sql("SELECT count(*) FROM " + quorum.options.schema +
                          ".operations WHERE state = 2") == "1");
  CHECK(is<Held>(other.reserve(request(1))));
  joined = true;
  cancelling.join();

  // With the standby what is known counts.
  quorum.server.start_standby();
  for (Verbs* const asking : {&verbs, &other}) {
    CHECK(asking->until<Completed>(request(1)).answer.body == "local");
  }
  // The reservation whose call had failed was released.
  Reserved second = verbs.until<Reserved>(request(2));
  CHECK(verbs.complete(std::move(second.permit), answer(200, "")) == Settled::done);
  store->close();
  another->close();
}

TEST_CASE("quorum: operations of one statement are reserved together or not at all") {
  ONCEPROXY_NEEDS_POSTGRES();
  Quorum quorum;
  const auto store = quorum.open();
  PollLoop loop;
  Together together(*store, loop);
  CHECK(is<Reserved>(together.reserve({request(0)}).front()));
  quorum.server.stop_standby();
  std::vector<ReserveRequest> asked;
  for (std::uint64_t number = 1; number <= 20; ++number) asked.push_back(request(number));
  std::vector<ReserveResult> results;
  std::thread reserving([&] { results = together.reserve(asked); });
  quorum.server.await_waiting_commit();
  const std::string waits = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
  CHECK(quorum.server.sql("SELECT count(*) " + waits) == "1");
  quorum.server.sql("SELECT pg_cancel_backend(pid) " + waits);
  reserving.join();
  for (const ReserveResult& result : results) {
    CHECK(is_unavailable(result, Unavailable::Reason::failed));
  }
  CHECK(quorum.server.sql("SELECT count(*) FROM " + quorum.options.schema + ".operations") == "21");
  quorum.server.start_standby();
  Verbs verbs(*store);
  for (const ReserveRequest& one : asked) {
    CHECK(verbs.release(verbs.until<Reserved>(one).permit) == Settled::done);
  }
  leave(*store, loop);
  store->close();
}

TEST_CASE("quorum: a role that wants no warnings is warned all the same") {
  ONCEPROXY_NEEDS_POSTGRES();
  Quorum quorum;
  quorum.server.sql("ALTER ROLE owner SET client_min_messages = error");
  const auto store = quorum.open();
  // Whatever the commit took: the warning alone is to be noticed.
  quorum.tuning.commit_slow = 1h;
  const auto another = quorum.open();
  Verbs verbs(*another);
  quorum.server.stop_standby();
  std::optional<ReserveResult> reserved;
  std::thread reserving([&] { reserved = verbs.reserve(request(1)); });
  quorum.server.await_waiting_commit();
  quorum.server.cancel_waiting_commits();
  reserving.join();
  CHECK(is_unavailable(*reserved, Unavailable::Reason::failed));
  quorum.server.start_standby();
  another->close();
  store->close();
}

TEST_CASE("quorum: a commit that waited until nothing was to be waited for does not count") {
  ONCEPROXY_NEEDS_POSTGRES();
  Quorum quorum;
  const auto store = quorum.open();
  Verbs verbs(*store);
  Permit permit = verbs.until<Reserved>(request(1)).permit;
  quorum.server.stop_standby();
  DirectLoop loop;
  const ReserveRequest asked = request(2);
  Waiting<ReserveResult> reserving(loop);
  REQUIRE_FALSE(store->reserve(asked, reserving));
  Waiting<Settled> completing(loop);
  REQUIRE_FALSE(store->complete(std::move(permit), answer(200, "local"), {}, completing));
  quorum.server.await_waiting_commit(2 * quorum.tuning.commit_slow);
  quorum.server.sql("ALTER SYSTEM SET synchronous_standby_names = ''");
  quorum.server.sql("SELECT pg_reload_conf()");
  CHECK(is_unavailable(reserving.wait(), Unavailable::Reason::failed));
  CHECK(completing.wait() == Settled::failed);
  store->close();
}

TEST_CASE("quorum: a change of an operator that waited until nothing was to be waited for failed") {
  if (!postgres_installed()) {
    WARN("skipped: PostgreSQL is not installed");
    return;
  }
  Quorum quorum;
  const auto store = quorum.open();
  Verbs verbs(*store);
  CHECK(verbs.complete(verbs.until<Reserved>(request(1)).permit, answer(200, "")) == Settled::done);
  CHECK(verbs.complete(verbs.permit(request(2)), answer(200, "")) == Settled::done);
  CHECK(store->inspection().forget(fingerprint(2)) == Changed::done);
  quorum.server.stop_standby();
  Changed changed{};
  std::thread forgetting([&] { changed = store->inspection().forget(fingerprint(1)); });
  quorum.server.await_waiting_commit(2 * quorum.tuning.commit_slow);
  quorum.server.wait_for("");
  forgetting.join();
  CHECK(changed == Changed::failed);
  store->close();
}

TEST_CASE("quorum: without a standby requests are refused in time, then at once") {
  ONCEPROXY_NEEDS_POSTGRES();
  Quorum quorum;
  const auto store = quorum.open();
  Verbs verbs(*store);
  quorum.server.stop_standby();
  const auto began = std::chrono::steady_clock::now();
  std::uint64_t number = 1;
  while (!store->stats().circuit_open) {
    REQUIRE(std::chrono::steady_clock::now() - began < 60s);
    CHECK(is_unavailable(verbs.reserve(request(number++)), Unavailable::Reason::failed));
  }
  const auto open = std::chrono::steady_clock::now();
  CHECK(is_unavailable(verbs.reserve(request(number++)), Unavailable::Reason::failed));
  CHECK(std::chrono::steady_clock::now() - open < 500ms);
  CHECK_FALSE(store->failure().empty());
  quorum.server.start_standby();
  Reserved reserved = verbs.until<Reserved>(request(1));
  CHECK(verbs.complete(std::move(reserved.permit), answer(200, "")) == Settled::done);
  store->close();
}

TEST_CASE("quorum: a request above its rate limit is refused at once though no standby is there") {
  if (!postgres_installed()) {
    WARN("skipped: PostgreSQL is not installed");
    return;
  }
  Quorum quorum;
  const auto store = quorum.open();
  Verbs verbs(*store);
  ReserveRequest asked = request(1);
  asked.rate = RateTerms{rate_key(1), 1, 1h};
  CHECK(verbs.complete(verbs.until<Reserved>(asked).permit, answer(200, "")) == Settled::done);
  quorum.server.stop_standby();
  for (std::uint64_t number = 2; number <= 20; ++number) {
    asked.fingerprint = fingerprint(number);
    CHECK(is<RateLimited>(verbs.reserve(asked)));
  }
  CHECK(quorum.server.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") ==
        "0");
  store->close();
}

TEST_CASE("quorum: settings that lose what is committed are refused") {
  ONCEPROXY_NEEDS_POSTGRES();
  Quorum quorum;
  const auto store = quorum.open();
  Verbs verbs(*store);
  quorum.server.sql("ALTER SYSTEM SET synchronous_standby_names = ''");
  quorum.server.sql("SELECT pg_reload_conf()");
  std::uint64_t number = 1;
  REQUIRE(eventually([&] {
    return is_unavailable(verbs.reserve(request(number++)), Unavailable::Reason::failed);
  }));
  CHECK_THROWS_WITH(quorum.open(), Catch::Contains("synchronous_standby_names is empty"));
  quorum.options.durability = Durability::primary;
  CHECK_NOTHROW(quorum.open()->close());
  store->close();
}
