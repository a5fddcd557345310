// How sessions are made where a server does not answer, or the URL is wrong.
#include "store/postgres/connecting.hpp"

#include <catch2/catch.hpp>

#include "store_run.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using namespace std::chrono_literals;

namespace {

/// Accepts connections and says nothing.
class Silent {
 public:
  Silent() : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(descriptor_, 16);
    ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~Silent() { ::close(descriptor_); }
  Silent(const Silent&) = delete;
  Silent& operator=(const Silent&) = delete;
  std::string port() const { return std::to_string(port_); }

 private:
  int descriptor_;
  int port_ = 0;
};

const std::atomic<bool> never{false};

}  // namespace

TEST_CASE("connecting: a silent host does not hide the next one") {
  ONCEPROXY_NEEDS_POSTGRES();
  const Silent silent;
  PostgresOptions options = PostgresServer::shared().options();
  const std::string good = options.url.substr(options.url.find('@') + 1);  // host:port/database
  options.url = "postgresql://owner@127.0.0.1:" + silent.port() + "," + good;
  options.connect_timeout = 4s;
  std::size_t first = 0;
  for (int i = 0; i < 2; ++i) {
    const auto began = BootClock::now();
    const auto connected = connect(options, never, &first);
    REQUIRE(std::holds_alternative<pq::ConnectionPtr>(connected));
    CHECK(first == 1);
    // The second time it begins with the one that was reached.
    const auto took = BootClock::now() - began;
    CHECK((took < 2s) == (i > 0));
  }
  options.url = "postgresql://owner@127.0.0.1:" + silent.port() + ",127.0.0.1:" + silent.port();
  options.connect_timeout = 200ms;
  const auto none = connect(options, never);
  REQUIRE(std::holds_alternative<ConnectError>(none));
  CHECK(std::get<ConnectError>(none).message ==
        "the server at 127.0.0.1 does not answer; the server at 127.0.0.1 does not answer");
}

TEST_CASE("connecting: a server that accepts and then answers nothing is given up") {
  ONCEPROXY_NEEDS_POSTGRES();
  PostgresOptions options = PostgresServer::shared().options();
  options.operation_timeout = 60s;
  const pq::ConnectionPtr blocking(PQconnectdb(options.url.c_str()));
  run(blocking.get(), "BEGIN; LOCK TABLE " + options.schema + ".schema_version", "a lock");
  const auto connected = connect(options, never);
  REQUIRE(std::holds_alternative<pq::ConnectionPtr>(connected));
  const auto began = BootClock::now();
  const auto prepared =
      prepare(std::get<pq::ConnectionPtr>(connected).get(), options, true, {began + 300ms, never});
  REQUIRE(std::holds_alternative<ConnectError>(prepared));
  CHECK(std::get<ConnectError>(prepared).message == "the server does not answer");
  CHECK(BootClock::now() - began < 10s);
}

TEST_CASE("connecting: what is wrong with the URL is told without its password") {
  PostgresOptions options;
  for (const char* const url :
       {"postgresql://owner:pa%00secret@host/db", "postgresql://host/db?password=pa%zzsecret",
        "postgresql://owner:secret@[host/db", "host=a password='secret"}) {
    options.url = url;
    const std::string wrong = wrong_options(options);
    CHECK(wrong.find("store.postgres.url cannot be read") == 0);
    CHECK(wrong.find("secret") == std::string::npos);
  }
  options.url = "postgresql://host/db?nonsense=1";
  CHECK(wrong_options(options).find("nonsense") != std::string::npos);
}

TEST_CASE(
    "connecting: a session whose client reads nothing holds its locks for one operation's time") {
  ONCEPROXY_NEEDS_POSTGRES();
  const PostgresServer& server = PostgresServer::shared();
  PostgresOptions options = server.options();
  options.operation_timeout = 1s;
  const auto connected = connect(options, never);
  REQUIRE(std::holds_alternative<pq::ConnectionPtr>(connected));
  PGconn* const session = std::get<pq::ConnectionPtr>(connected).get();
  const Patience patience{BootClock::now() + 10s, never};
  REQUIRE(std::holds_alternative<Server>(prepare(session, options, false, patience)));
  // A lock, and then more than the sockets hold.
  REQUIRE(PQsendQueryParams(session,
                            "SELECT CASE WHEN n = 1 THEN pg_advisory_xact_lock(7)::text END, "
                            "repeat('x', 100000) FROM generate_series(1, 1000) AS n",
                            0, nullptr, nullptr, nullptr, nullptr, 0) == 1);
  REQUIRE(PQpipelineSync(session) == 1);
  REQUIRE(PQflush(session) == 0);
  const auto is_held = [&] { return server.sql("SELECT pg_try_advisory_xact_lock(7)") == "f"; };
  CHECK(within(5s, is_held));
  CHECK(within(10s, [&] { return !is_held(); }));
}
