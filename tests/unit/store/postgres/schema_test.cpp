// The schema of the shared store: migrating it, and which programs may use which version of it.
#include "store/postgres/schema.hpp"

#include <catch2/catch.hpp>

#include "store/postgres/transfer.hpp"
#include "store_run.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

TEST_CASE("postgres: migrating is done once, and told before") {
  ONCEPROXY_NEEDS_POSTGRES();
  PostgresOptions options = PostgresServer::shared().options();
  options.schema = "a \"quoted\" schema";
  StoreClock clock;
  CHECK(schema_version(options) == 0);
  CHECK_THROWS_WITH(PostgresStore::open(options, 1, clock, {}),
                    Catch::Contains("onceproxy store migrate"));
  std::string told;
  const auto sink = [&](std::string_view line) { told.append(line).append("\n"); };
  CHECK(migrate(options, true, sink) == 0);
  CHECK(told.find("CREATE TABLE operations") != std::string::npos);
  CHECK(schema_version(options) == 0);
  CHECK(migrate(options, false, sink) == 0);
  CHECK(schema_version(options) == schema_version_now);
  told.clear();
  CHECK(migrate(options, false, sink) == schema_version_now);
  CHECK(told.find("nothing is to be done") != std::string::npos);
  PostgresStore::open(options, 1, clock, {})->close();
  PostgresServer::shared().sql(
      "INSERT INTO \"a \"\"quoted\"\" schema\".schema_version (version) VALUES (99)");
  CHECK_THROWS_WITH(PostgresStore::open(options, 1, clock, {}),
                    Catch::Contains("use a newer onceproxy"));
  CHECK_THROWS(migrate(options, false, sink));
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

TEST_CASE("postgres: an instance goes on with a newer schema that allows it, and does not start") {
  ONCEPROXY_NEEDS_POSTGRES();
  const PostgresServer& server = PostgresServer::shared();
  StoreClock clock;
  const PostgresOptions options = server.options();
  const auto store = open_tuned(options, 1, quick(), clock, {});
  Verbs verbs(*store);
  std::uint64_t number = 0;
  const auto end_sessions = [&] {
    server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
        "'onceproxy'");
  };
  const auto execute = [&] {
    CHECK(verbs.complete(verbs.until<Reserved>(request(++number)).permit, answer(200, "x")) ==
          Settled::done);
  };
  execute();
  const std::string newer = std::to_string(schema_version_now + 1);
  server.sql("INSERT INTO " + options.schema + ".schema_version (version, needs, digests) SELECT " +
             newer + ", " + std::to_string(schema_version_now) + ", digests FROM " +
             options.schema +
             ".schema_version WHERE version = " + std::to_string(schema_version_now));
  end_sessions();
  execute();
  CHECK_THROWS_WITH(PostgresStore::open(options, 1, clock, {}),
                    Catch::Contains("use a newer onceproxy"));
  // One that does not allow it.
  server.sql("UPDATE " + options.schema + ".schema_version SET needs = version");
  end_sessions();
  CHECK(within(20s, [&] {
    static_cast<void>(verbs.reserve(request(++number)));
    return store->failure().find("use a newer") != std::string::npos;
  }));
  store->close();
}

TEST_CASE("postgres: operations with fingerprints of another version are not taken for absent") {
  ONCEPROXY_NEEDS_POSTGRES();
  StoreClock clock;
  const PostgresOptions options = PostgresServer::shared().options();
  const std::string versions = options.schema + ".schema_version";
  const auto sql = [](const std::string& text) { return PostgresServer::shared().sql(text); };
  CHECK(sql("SELECT digests FROM " + versions + " ORDER BY version DESC") ==
        std::to_string(digests_version));
  for (const char* const other : {"- 1", "+ 1"}) {
    sql("UPDATE " + versions + " SET digests = " + std::to_string(digests_version) + other);
    CHECK_THROWS_WITH(PostgresStore::open(options, 1, clock, {}),
                      Catch::Contains("use the onceproxy that wrote them"));
  }
}

TEST_CASE("postgres: nothing starts on a schema while it is moved, and no second move") {
  ONCEPROXY_NEEDS_POSTGRES();
  StoreClock clock;
  const PostgresOptions options = PostgresServer::shared().options();
  {
    const PostgresTransfer transfer(options);
    CHECK_THROWS_WITH(PostgresStore::open(options, 1, clock, {}),
                      Catch::Contains("is being moved"));
    CHECK_THROWS_WITH(PostgresTransfer(options), Catch::Contains("another `onceproxy store move`"));
    // Another schema is another store.
    PostgresStore::open(PostgresServer::shared().options(), 1, clock, {})->close();
  }
  const auto store = PostgresStore::open(options, 1, clock, {});
  CHECK_THROWS_WITH(PostgresTransfer(options), Catch::Contains("in use by a running onceproxy"));
  store->close();
}
