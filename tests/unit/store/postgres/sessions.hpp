// Sessions of a test's own, which call the functions of the schema side by side.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "postgres_server.hpp"

namespace onceproxy::store::testing {

using namespace std::chrono_literals;

/// One session of a schema.
class Session {
 public:
  explicit Session(const PostgresOptions& options) : connection_(PQconnectdb(options.url.c_str())) {
    sql("SET search_path = " + options.schema + ", pg_temp");
    sql("SET statement_timeout = '20s'");
  }

  /// The first column of the first row; an empty text where there is none.
  std::string sql(const std::string& statement) {
    send(statement);
    return take();
  }
  void send(const std::string& statement) {
    if (PQsendQuery(connection_.get(), statement.c_str()) != 1) {
      throw std::runtime_error(PQerrorMessage(connection_.get()));
    }
  }
  /// What was sent is answered; instead of a failure there is its SQLSTATE.
  std::string take() {
    std::string out;
    while (const pq::ResultPtr result{PQgetResult(connection_.get())}) {
      if (const char* const state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE)) {
        out = state;
      } else if (PQntuples(result.get()) > 0) {
        out = PQgetvalue(result.get(), 0, 0);
      }
    }
    return out;
  }
  int process() const { return PQbackendPID(connection_.get()); }

 private:
  pq::ConnectionPtr connection_;
};

/// A schema of the test's own, and sessions of it.
struct Schema {
  const PostgresOptions options = PostgresServer::shared().options();
  Session one{options};
  Session other{options};
  Session watching{options};

  Schema() { one.sql("SELECT beat('instance')"); }

  /// Until `session` waits for a lock.
  void await_blocked(const Session& session) {
    const std::string question =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = " +
        std::to_string(session.process());
    await([&] { return watching.sql(question) == "1"; });
  }
  template <typename Condition>
  static void await(Condition&& condition) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) throw std::runtime_error("not in time");
      std::this_thread::sleep_for(2ms);
    }
  }
  std::string count(const std::string& table) {
    return watching.sql("SELECT count(*) FROM " + table);
  }
};

/// A call of reserve().
struct Asked {
  std::string name;
  std::string entity = "NULL";
  std::string turn = "NULL";
  std::string closes = "NULL";
  std::string unless_closed = "false";
  std::string hold = "false";
  std::string not_after = "now_ms() + 60000";
  /// The limit's key, the time for each token, and that for all; in nanoseconds.
  std::string rate = "NULL, NULL, NULL";
  /// Empty: its name.
  std::string nonce = {};

  std::string text() const {
    return "SELECT o_code FROM reserve('" + name + "', '" + (nonce.empty() ? name : nonce) +
           "', 'instance', NULL, 30000, 2000, 60000, " + hold + ", '', '', '', '', " + entity +
           ", 'ride', '4711', " + turn + ", 10, 6000, NULL, NULL, NULL, false, " + closes + ", " +
           unless_closed + ", " + rate + ", false, NULL, " + not_after + ", false)";
  }
};

inline std::string release(const std::string& name) {
  return "SELECT o_code FROM release('" + name + "', '" + name +
         "', true, now_ms() + 60000, false)";
}

inline std::string complete(const std::string& name, const std::string& ends) {
  return "SELECT o_code FROM complete('" + name + "', '" + name +
         "', 60000, 200, true, 0::smallint, '', '', " + ends + ", false, now_ms() + 60000, false)";
}

}  // namespace onceproxy::store::testing
