#include "config/settings_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;

TEST_CASE("The top level has the defaults of config/REFERENCE.md") {
  const Settings settings = loaded("");
  CHECK(settings.listen.size() == 1);
  CHECK(settings.upstream.connect_timeout == 1s);
  CHECK(settings.upstream.response_timeout == 30s);
  CHECK(settings.upstream.idle_timeout == 60s);
  CHECK(settings.upstream.keepalive_timeout == 60s);
  CHECK(settings.upstream.abandoned_timeout == 10min);
  CHECK(settings.upstream.connections_max == 1024);
  CHECK(settings.upstream.concurrency_max == 0);
  CHECK(settings.upstream.head_bytes_max == 64 * 1024);
  CHECK(settings.store.path == "/var/lib/onceproxy");
  CHECK(settings.store.sync == store::Sync::all);
  CHECK(settings.store.bytes_max == std::uint64_t{4} << 30);
  CHECK(settings.store.pending_max == 100'000);
  CHECK(!settings.admin);
  CHECK(!settings.telemetry);
  CHECK(settings.limits.connections == 10'000);
  CHECK(settings.limits.head_bytes == 16 * 1024);
  CHECK(settings.limits.headers == 100);
  CHECK(settings.limits.body_bytes == 1024 * 1024);
  CHECK(settings.limits.buffered_bytes == 32 * 1024 * 1024);
  CHECK(settings.limits.head_timeout == 10s);
  CHECK(settings.limits.body_timeout == 30s);
  CHECK(settings.limits.idle_timeout == 75s);
  CHECK(settings.limits.pending == 100'000);
  CHECK(!settings.limits.pass_encoded_slashes);
  CHECK(settings.log.level == telemetry::LogLevel::info);
  CHECK(settings.log.format == telemetry::LogFormat::json);
  CHECK(settings.workers == 0);
  CHECK(settings.policies.empty());
}

TEST_CASE("Every key of the top level is read") {
  const auto result = load(R"(
listen: ["127.0.0.1:1", "127.0.0.1:3"]
upstream:
  address: unix:/run/b
  connect_timeout: 2s
  response_timeout: 3s
  idle_timeout: 4s
  keepalive_timeout: 41s
  abandoned_timeout: 42s
  max_connections: 5
  max_concurrency: 6
  head_bytes: 7KiB
  http: lenient
  forwarded_fields: covered
store: {clock_ahead_max: 18d, rocksdb: {path: data, sync: reservations, max_bytes: 8GiB}}
admin: {listen: "unix:/run/admin"}
telemetry: {listen: "127.0.0.1:2"}
limits:
  connections: 9
  head_bytes: 10KiB
  headers: 11
  body_bytes: 12
  buffered_bytes: 121KiB
  head_timeout: 13s
  body_timeout: 14s
  idle_timeout: 15s
  pending: 16
  encoded_slashes: pass
log: {level: warn, format: text}
workers: 17
policies: []
)",
                           "f.yaml", environment_of());
  REQUIRE(result);
  REQUIRE(result->listen.size() == 2);
  CHECK(result->listen[1].text() == "127.0.0.1:3");
  CHECK(result->upstream.address.text() == "unix:/run/b");
  CHECK(result->upstream.connect_timeout == 2s);
  CHECK(result->upstream.response_timeout == 3s);
  CHECK(result->upstream.idle_timeout == 4s);
  CHECK(result->upstream.keepalive_timeout == 41s);
  CHECK(result->upstream.abandoned_timeout == 42s);
  CHECK(result->upstream.connections_max == 5);
  CHECK(result->upstream.concurrency_max == 6);
  CHECK(result->upstream.head_bytes_max == 7 * 1024);
  CHECK(result->upstream.lenient_http);
  CHECK(result->upstream.forwards_covered_only);
  CHECK(result->store.path == "data");
  CHECK(result->store.sync == store::Sync::reservations);
  CHECK(result->store.bytes_max == std::uint64_t{8} << 30);
  CHECK(result->store.pending_max == 16);
  CHECK(result->admin->text() == "unix:/run/admin");
  CHECK(result->telemetry->text() == "127.0.0.1:2");
  CHECK(result->store.clock_ahead_max == 18 * 24h);
  CHECK(result->limits.connections == 9);
  CHECK(result->limits.head_bytes == 10 * 1024);
  CHECK(result->limits.headers == 11);
  CHECK(result->limits.body_bytes == 12);
  CHECK(result->limits.buffered_bytes == 121 * 1024);
  CHECK(result->limits.head_timeout == 13s);
  CHECK(result->limits.body_timeout == 14s);
  CHECK(result->limits.idle_timeout == 15s);
  CHECK(result->limits.pending == 16);
  CHECK(result->limits.pass_encoded_slashes);
  CHECK(result->log.level == telemetry::LogLevel::warn);
  CHECK(result->log.format == telemetry::LogFormat::text);
  CHECK(result->workers == 17);
}

TEST_CASE("The time that unused connections are kept may be zero, with or without a unit") {
  const auto with = [](const std::string& value) {
    return "listen: a:0\nupstream: {address: \"a:1\", keepalive_timeout: " + value + "}\n";
  };
  for (const std::string value : {"0", "0s", "0ms"}) {
    const auto result = load(with(value), "f.yaml", environment_of());
    REQUIRE(result);
    CHECK(result->upstream.keepalive_timeout == 0s);
  }
  CHECK(problems_in(with("5")) ==
        Texts{"upstream.keepalive_timeout: expected a duration such as 500ms, 30s, 5m, 24h or 7d, "
              "found \"5\"; a duration needs a unit"});
  CHECK(problems_in(with("\"0\"")).size() == 1);
  CHECK(problems_in(with("25h")).size() == 1);
}

TEST_CASE("Required keys that are missing are reported") {
  CHECK(problems_in("workers: 1") == Texts{"`listen` is missing", "`upstream` is missing"});
  CHECK(problems_in("listen: a:0\nupstream: {}") == Texts{"upstream: `address` is missing"});
  CHECK(problems_in("listen: []\nupstream: {address: \"a:1\"}") ==
        Texts{"listen: the list of addresses is empty"});
  CHECK(problems("admin: {}\ntelemetry: {}") ==
        Texts{"admin: `listen` is missing", "telemetry: `listen` is missing"});
  CHECK(problems("store: {rocksdb: {path: \"\"}}") ==
        Texts{"store.rocksdb.path: \"\" is not a directory"});
}

TEST_CASE("The admin port's hosts are names and addresses without a port") {
  CHECK(problems("admin: {listen: \"127.0.0.1:0\", hosts: [ops.example, 10.0.0.7, \"fd00::7\"]}") ==
        Texts{});
  CHECK(problems(
            "admin: {listen: \"127.0.0.1:0\", hosts: [\"a:80\", \"*.b\", \"\", \"[::1]:80\"]}") ==
        Texts{"admin.hosts[0]: \"a:80\" has a port; leave it out, since every port is accepted",
              "admin.hosts[1]: \"*.b\" is not a host name; list each name, without wildcards",
              "admin.hosts[2]: \"\" is empty; it is a host name or an address",
              "admin.hosts[3]: \"[::1]:80\" is not an address; write an IPv6 address without "
              "brackets and port"});
}

TEST_CASE("All problems are told at once, in the file's order") {
  CHECK(problems("policies:\n- name: A\n  lease: 1\n  fingerprint: [{body: x}]\n"
                 "workers: x\nlog: {level: y}\n") ==
        Texts{"policies[0]: `scope` is missing: duplicates are replayed, and without it one caller "
              "could be sent another's answer; write scope: [{header: authorization}], or scope: "
              "shared where everybody may see every answer",
              "policies[0].name: \"A\" is not a valid name: 1 to 63 of a-z, 0-9 and -",
              "policies[0].lease: expected a duration such as 500ms, 30s, 5m, 24h or 7d, found "
              "\"1\"; a duration needs a unit",
              "policies[0].fingerprint[0].body: \"x\" is not a JSON Pointer; did you mean \"/x\"?",
              "workers: expected a whole number, found \"x\"",
              "log.level: expected trace, debug, info, warn or error, found \"y\""});
}

}  // namespace
}  // namespace onceproxy::config
