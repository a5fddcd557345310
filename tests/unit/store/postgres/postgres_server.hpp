// A PostgreSQL server for tests: on the loopback alone, in a directory of its own, as a user that
// is not root; with a synchronous standby where a test wants one. One for each program, since
// starting one takes a second; tests keep apart by schemas.
#pragma once

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "../../eventually.hpp"
#include "store/postgres/connecting.hpp"
#include "store/postgres/schema.hpp"

/// Begins each test that needs a server.
#define ONCEPROXY_NEEDS_POSTGRES()                        \
  if (!onceproxy::store::testing::postgres_installed()) { \
    WARN("skipped: PostgreSQL is not installed");         \
    return;                                               \
  }

namespace onceproxy::store::testing {

using onceproxy::testing::eventually;

inline const std::string postgres_programs = "/usr/lib/postgresql/15/bin/";

/// False: PostgreSQL is not installed here, and its tests are skipped. Catch2 2 counts a test that
/// returns early as passed, so tests/run.sh sets ONCEPROXY_REQUIRE_POSTGRES, and they fail instead.
inline bool postgres_installed() {
  const bool installed = std::filesystem::exists(postgres_programs + "initdb");
  if (!installed && std::getenv("ONCEPROXY_REQUIRE_POSTGRES") != nullptr) {
    throw std::runtime_error("there is no " + postgres_programs + "initdb");
  }
  return installed;
}

inline int free_port() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(descriptor, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(descriptor);
  return ntohs(address.sin_port);
}

class PostgresServer {
 public:
  PostgresServer() {
    std::string pattern = (std::filesystem::temp_directory_path() / "onceproxy-pg-XXXXXX").string();
    home_ = ::mkdtemp(pattern.data());
    if (::geteuid() == 0) run("chown postgres " + home_.string(), false);
    port_ = free_port();
    run(program("initdb") + " -D " + primary() + " -A trust -U owner --no-sync");
    configure(primary(), port_);
    start(primary());
  }
  ~PostgresServer() {
    for (const auto& [name, port] : standby_ports_) stop(standby(name), "immediate");
    stop(primary(), "immediate");
    std::error_code ignored;
    std::filesystem::remove_all(home_, ignored);
  }
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  /// The one of this program.
  static PostgresServer& shared() {
    static PostgresServer server;
    return server;
  }

  std::string url() const { return url(port_); }
  std::string url_of(const std::string& role) const { return url(port_, role); }

  /// A standby. Commits wait for "one", unless wait_for() says otherwise.
  void start_standby(const std::string& name = "one") {
    if (standby_ports_.count(name) != 0) {
      start(standby(name));
      return;
    }
    const int port = standby_ports_.emplace(name, free_port()).first->second;
    run(program("pg_basebackup") + " -h 127.0.0.1 -p " + std::to_string(port_) + " -U owner -D " +
        standby(name) + " -R -C -S " + name +
        " -X stream -c fast --no-sync -d \"host=127.0.0.1 port=" + std::to_string(port_) +
        " user=owner application_name=" + name + "\"");
    configure(standby(name), port);
    start(standby(name));
    if (name == "one") wait_for("FIRST 1 (one)");
  }
  /// Sets synchronous_standby_names.
  void wait_for(const std::string& names) const {
    sql("ALTER SYSTEM SET synchronous_standby_names = '" + names + "'");
    sql("SELECT pg_reload_conf()");
  }
  void stop_standby(const std::string& name = "one") const { stop(standby(name), "immediate"); }
  void promote(const std::string& name) const {
    run(program("pg_ctl") + " -D " + standby(name) + " -w promote");
  }
  std::string url_of_standby(const std::string& name) const { return url(standby_ports_.at(name)); }
  void restart() {
    run(program("pg_ctl") + " -D " + primary() + " -m immediate -w restart -l " +
        (home_ / "log").string());
  }
  void stop_primary() { stop(primary(), "immediate"); }
  void start_primary() { start(primary()); }

  /// Until a session has waited for the standby for so long.
  void await_waiting_commit(std::chrono::milliseconds time = std::chrono::milliseconds(0)) const {
    const std::string waits =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' "
        // Leases are renewed at any time.
        "AND query NOT LIKE '%renew(%' AND clock_timestamp() - state_change >= interval '" +
        std::to_string(time.count()) + " ms'";
    REQUIRE(eventually([&] { return sql(waits) != "0"; }));
  }
  /// Ends these waits. The commits stay on the primary, and their sessions are warned.
  void cancel_waiting_commits() const {
    sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
  }

  /// The first column of the first row; an empty text where there is none.
  std::string sql(const std::string& statement) const { return sql(statement, url()); }
  static std::string sql(const std::string& statement, const std::string& url) {
    const pq::ConnectionPtr session(PQconnectdb(url.c_str()));
    const auto result = store::run(session.get(), statement, statement);
    if (PQntuples(result.get()) == 0) return "";
    return PQgetvalue(result.get(), 0, 0);
  }

  /// A new schema of the program's version.
  PostgresOptions options() const {
    static std::atomic<int> number{0};
    PostgresOptions out;
    out.url = url();
    out.schema = "test_" + std::to_string(++number);
    out.durability = Durability::primary;
    out.connections = 4;
    out.audit.enabled = false;
    migrate(out, false, [](std::string_view) {});
    return out;
  }

 private:
  static std::string program(const std::string& name) { return postgres_programs + name; }
  std::string primary() const { return (home_ / "primary").string(); }
  std::string standby(const std::string& name) const { return (home_ / name).string(); }
  static std::string url(int port, const std::string& role = "owner") {
    return "postgresql://" + role + "@127.0.0.1:" + std::to_string(port) + "/postgres";
  }

  void configure(const std::string& directory, int port) const {
    std::ofstream file(directory + "/postgresql.conf", std::ios::app);
    file << "listen_addresses = '127.0.0.1'\nport = " << port << "\nunix_socket_directories = '"
         << home_.string() << "'\nwal_level = replica\nmax_wal_senders = 5\nhot_standby = on\n"
         << "max_connections = 60\nautovacuum_naptime = 5s\n";
  }
  void start(const std::string& directory) const {
    run(program("pg_ctl") + " -D " + directory + " -w start -l " + (home_ / "log").string());
  }
  void stop(const std::string& directory, const std::string& how) const {
    if (!std::filesystem::exists(directory + "/postmaster.pid")) return;
    try {
      run(program("pg_ctl") + " -D " + directory + " -m " + how + " -w stop");
    } catch (const std::runtime_error&) {
      // It was stopped by somebody else.
    }
  }
  /// PostgreSQL refuses to run as root.
  static void run(const std::string& command, bool as_postgres = true) {
    std::string whole = command + " >/dev/null 2>&1 </dev/null";
    if (as_postgres && ::geteuid() == 0) {
      whole = "cd / && setpriv --reuid=postgres --regid=postgres --clear-groups " + whole;
    }
    if (std::system(whole.c_str()) != 0) throw std::runtime_error("failed: " + command);
  }

  std::filesystem::path home_;
  int port_ = 0;
  std::map<std::string, int> standby_ports_;
};

}  // namespace onceproxy::store::testing
