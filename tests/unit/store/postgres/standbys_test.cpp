// Several standbys: what counts as confirmed, and which of them may take the place of the primary.
#include <signal.h>

#include <catch2/catch.hpp>

#include "sessions.hpp"
#include "store/postgres/standby_names.hpp"
#include "store_run.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

/// A primary with two standbys.
struct Standbys {
  Standbys() {
    server.start_standby("one");
    server.start_standby("two");
    REQUIRE(within(20s, [&] {
      return server.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") ==
             "2";
    }));
    options = server.options();
    session.emplace(options);
  }
  ~Standbys() { resume(); }

  void pause_two() {
    receiver = std::stoi(
        PostgresServer::sql("SELECT pid FROM pg_stat_wal_receiver", server.url_of_standby("two")));
    ::kill(receiver, SIGSTOP);
  }
  void resume() {
    if (receiver != 0) ::kill(std::exchange(receiver, 0), SIGCONT);
  }
  /// `states`: those of both standbys, when the setting is in force.
  void wait_for(const std::string& names, const std::string& states) {
    server.wait_for(names);
    REQUIRE(within(20s, [&] {
      return session->sql("SHOW synchronous_standby_names") == names &&
             session->sql(
                 "SELECT string_agg(sync_state, ' ' ORDER BY application_name) FROM "
                 "pg_stat_replication") == states;
    }));
  }
  bool received(const std::string& standby, const std::string& position) {
    // After a start the first is null until the standby receives something.
    return PostgresServer::sql(
               "SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) >= '" +
                   position + "'",
               server.url_of_standby(standby)) == "t";
  }

  PostgresServer server;
  PostgresOptions options;
  std::optional<Session> session;
  pid_t receiver = 0;
};

}  // namespace

TEST_CASE("standbys: a position is confirmed when as many have it as a commit waits for") {
  ONCEPROXY_NEEDS_POSTGRES();
  Standbys both;
  both.wait_for("ANY 1 (one, two)", "quorum quorum");
  both.pause_two();
  both.session->sql("CREATE TABLE written (number integer)");
  const std::string position = both.session->sql("SELECT pg_current_wal_flush_lsn()");
  const auto confirmed = [&](const std::string& names, const std::string& states) {
    both.wait_for(names, states);
    return both.session->sql("SELECT coalesce(confirmed_lsn() >= '" + position + "', false)") ==
           "t";
  };
  CHECK(within(20s, [&] { return confirmed("ANY 1 (one, two)", "quorum quorum"); }));
  CHECK_FALSE(confirmed("ANY 2 (one, two)", "quorum quorum"));
  CHECK(confirmed("FIRST 1 (one, two)", "sync potential"));
  // A potential one does not count, although it has the position.
  CHECK_FALSE(confirmed("FIRST 1 (two, one)", "potential sync"));
  CHECK_FALSE(confirmed("FIRST 2 (one, two)", "sync sync"));
  CHECK_FALSE(confirmed("2 (one, two)", "sync sync"));
  CHECK(confirmed("one, two", "sync potential"));
  CHECK_FALSE(confirmed("two", "async sync"));
  both.resume();
  CHECK(within(20s, [&] { return confirmed("ANY 2 (one, two)", "quorum quorum"); }));
}

TEST_CASE("standbys: of those that are named, only the one furthest ahead has what counts") {
  ONCEPROXY_NEEDS_POSTGRES();
  Standbys both;
  both.wait_for("ANY 1 (one, two)", "quorum quorum");
  both.options.durability = Durability::quorum;
  StoreClock clock;
  std::string told;
  PostgresObserver observer;
  observer.event = [&](std::string_view event) { told += event; };
  const auto store = open_tuned(both.options, 1, quick(), clock, observer);
  CHECK(told.find("promote only the one") != std::string::npos);
  {
    Verbs verbs(*store);
    CHECK(verbs.complete(verbs.permit(request(1)), answer(200, "before")) == Settled::done);
    const std::string before = both.server.sql("SELECT pg_current_wal_flush_lsn()");
    REQUIRE(within(20s, [&] { return both.received("two", before); }));
    both.server.stop_standby("two");
    CHECK(verbs.complete(verbs.permit(request(2)), answer(200, "acknowledged")) == Settled::done);
  }
  const std::string position = both.server.sql("SELECT pg_current_wal_flush_lsn()");
  store->close();
  both.server.stop_primary();
  both.server.start_standby("two");
  CHECK(both.received("one", position));
  CHECK_FALSE(both.received("two", position));
  // Each as if the other one did not exist.
  for (const std::string name : {"one", "two"}) {
    const std::string url = both.server.url_of_standby(name);
    PostgresServer::sql("ALTER SYSTEM RESET synchronous_standby_names", url);
    PostgresServer::sql("SELECT pg_reload_conf()", url);
    both.server.promote(name);
    PostgresOptions options = both.options;
    options.url = url;
    options.durability = Durability::primary;
    const auto after = open_tuned(options, 1, quick(), clock, {});
    Verbs verbs(*after);
    CHECK(verbs.until<Completed>(request(1)).answer.body == "before");
    ReserveResult last = verbs.reserve(request(2));
    if (name == "one") {
      REQUIRE(is<Completed>(last));
      CHECK(std::get<Completed>(last).answer.body == "acknowledged");
    } else {
      REQUIRE(is<Reserved>(last));
      CHECK(verbs.release(std::move(std::get<Reserved>(last).permit)) == Settled::done);
    }
    after->close();
  }
}

TEST_CASE("standbys: their names are read as the server reads them") {
  struct Case {
    const char* setting;
    std::size_t waited, named;
  };
  for (const Case& each : std::vector<Case>{{"", 0, 0},
                                            {"a", 1, 1},
                                            {"a, b", 1, 2},
                                            {"\"a, b\"", 1, 1},
                                            {"\"a (1)\"", 1, 1},
                                            {"a1, \"b(\"", 1, 2},
                                            {"FIRST 2 (a, b , c)", 2, 3},
                                            {"any 1(a,\"b\")", 1, 2},
                                            {"2 (a, b)", 2, 2},
                                            {"*", 1, StandbyNames::any},
                                            {"ANY 2 (*)", 2, StandbyNames::any}}) {
    CAPTURE(each.setting);
    CHECK(standby_names(each.setting) == StandbyNames{each.waited, each.named});
    CHECK(promotion_advice(each.setting).empty() == (each.waited >= each.named));
  }
}
