#include "config/store_reader.hpp"

#include "config/effective.hpp"
#include "loading.hpp"

namespace onceproxy::config {
namespace {

const std::string url = "postgresql://me@db/x";

std::string postgres_with(const std::string& keys) {
  return "store: {postgres: {url: \"" + url + "\"" + keys + "}}\n";
}

store::PostgresOptions postgres_of(const std::string& keys) {
  const Settings settings = loaded(postgres_with(keys));
  REQUIRE(settings.postgres);
  return *settings.postgres;
}

TEST_CASE("Without a word the store is RocksDB") {
  CHECK_FALSE(loaded("").postgres);
  CHECK_FALSE(loaded("store: {}\n").postgres);
  CHECK_FALSE(loaded("store: {rocksdb: {path: /s}}\n").postgres);
}

TEST_CASE("Every key of PostgreSQL is read, and all but the URL have defaults") {
  const store::PostgresOptions standard = postgres_of("");
  CHECK(standard.url == url);
  CHECK(standard.password_file.empty());
  CHECK(standard.connections == 16);
  CHECK(standard.schema == "onceproxy");
  CHECK(standard.durability == store::Durability::quorum);
  CHECK(standard.cache_bytes == 64 * 1024 * 1024);
  const store::PostgresOptions set = postgres_of(
      ", password_file: /p, connections: 4, schema: idem_2, durability: primary, cache: 0");
  CHECK(set.password_file == "/p");
  CHECK(set.connections == 4);
  CHECK(set.schema == "idem_2");
  CHECK(set.durability == store::Durability::primary);
  CHECK(set.cache_bytes == 0);
  CHECK(loaded(postgres_with("") + "limits: {pending: 7}\n").postgres->pending_max == 7);
}

TEST_CASE("There is one store") {
  CHECK(problems("store: {rocksdb: {path: /s}, postgres: {url: \"" + url + "\"}}\n") ==
        Texts{"store.postgres: a store is either rocksdb or postgres; remove one of them"});
  CHECK(problems("store: {clock_ahead_max: 1h, postgres: {url: \"" + url + "\"}}\n") ==
        Texts{"store.clock_ahead_max: is for rocksdb alone; with postgres the clock of the "
              "database decides, so remove it"});
  CHECK(problems("store: {postgres: {}}\n") == Texts{"store.postgres: `url` is missing"});
}

TEST_CASE("Settings that PostgreSQL would refuse are refused") {
  const auto wrong = [](const std::string& keys) { return problems(postgres_with(keys)); };
  CHECK(wrong(", schema: pg_x") ==
        Texts{"store.postgres.schema: \"pg_x\" is reserved by PostgreSQL; choose another schema"});
  for (const std::string bad : {"Once", "a-b", "1a", "a.b", "\"\"", "a\\\"b"}) {
    CAPTURE(bad);
    const Texts found = wrong(", schema: " + bad);
    REQUIRE(found.size() == 1);
    CHECK(found[0].find("is not the name of a schema") != std::string::npos);
  }
  CHECK(wrong(", connections: 0").size() == 1);
  CHECK(wrong(", durability: standby") ==
        Texts{"store.postgres.durability: expected quorum or primary, found \"standby\""});
  CHECK(problems("store: {postgres: {url: \"postgresql://m:p@db/x\", password_file: /p}}\n") ==
        Texts{"store.postgres.password_file: url has a password already; keep the file and remove "
              "the password from url"});
}

TEST_CASE("A password in the URL is shown in no problem and in no dump") {
  const std::string secret = "store: {postgres: {url: \"postgresql://me:hunter2@db:x/y\"}}\n";
  const auto result = load(head + secret, "f.yaml", environment_of());
  REQUIRE_FALSE(result);
  REQUIRE(result.error().size() == 1);
  CHECK(result.error()[0].text().find("hunter2") == std::string::npos);
  CHECK(result.error()[0].text().find("postgresql://me:*******@db:x/y") != std::string::npos);
  for (const std::string text :
       {"store: {postgres: postgresql://me:hunter2@db/y}\n",
        "store: postgresql://me:hunter2@db/y\n",
        "store: {postgres: {schema: \"postgresql://me:hunter2@db/y\", url: \"x\"}}\n"}) {
    for (const std::string& problem : problems(text)) {
      CHECK(problem.find("hunter2") == std::string::npos);
    }
  }
  const std::string good = "store: {postgres: {url: \"postgresql://me:hunter2@db/y\"}}\n";
  CHECK(loaded(good).postgres->url == "postgresql://me:hunter2@db/y");
  const std::string shown = telemetry::json_text(effective(head + good, environment_of()));
  CHECK(shown.find("hunter2") == std::string::npos);
  CHECK(shown.find("postgresql://me:[redacted]@db/y") != std::string::npos);
}

TEST_CASE("With PostgreSQL no key of RocksDB is in force") {
  const Json shown = effective(head + postgres_with(""), environment_of());
  CHECK(telemetry::json_text(*telemetry::json_member(shown, "store")) ==
        "{\"postgres\":{\"url\":\"" + url +
            "\",\"connections\":16,\"schema\":\"onceproxy\",\"durability\":\"quorum\","
            "\"cache\":\"64MiB\"}}");
}

TEST_CASE("The audit log has a path with PostgreSQL, and a place of its own with RocksDB") {
  CHECK(loaded(postgres_with("") + "audit: {path: /audit}\n").audit.path == "/audit");
  CHECK(loaded(postgres_with("")).audit.path.empty());
  CHECK(problems("audit: {path: /audit}\n") ==
        Texts{"audit.path: is for store.postgres; with RocksDB the log is in the folder `audit` of "
              "store.rocksdb.path, so remove it"});
}

}  // namespace
}  // namespace onceproxy::config
