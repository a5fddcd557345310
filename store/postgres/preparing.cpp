#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/postgres/connecting.hpp"
#include "store/postgres/schema.hpp"
#include "store/postgres/statements.hpp"

namespace onceproxy::store {
namespace {

using std::chrono::milliseconds;

/// The settings of a session are set once, because no other program uses it. The search path ends
/// with pg_temp, which would otherwise come first and could hide the schema's own tables. The
/// functions keep their plans for long, and a plan that is made while a table is empty may read all
/// of it; so tables are read by their indexes, and what cannot be costs no compilation. Only a
/// warning shows that a commit did not wait for its standby, so neither the role's settings nor
/// those in the URL may suppress warnings. A statement of several operations sends answers while it
/// holds locks, and no timeout of statements applies while the server waits until the client reads;
/// so the kernel ends the session of a client that was stopped or cut off (tcp_user_timeout).
std::string settings(PGconn* connection, const PostgresOptions& options) {
  const auto timeout = std::to_string(options.operation_timeout.count());
  // Leaves most of the time for the parts into which such a statement is divided (batch.cpp).
  const auto lock =
      std::to_string(std::max<std::int64_t>(options.operation_timeout.count() / 8, 1));
  return "SET search_path = " + quoted(connection, options.schema) +
         ", pg_temp; SET default_transaction_isolation = 'read committed'; "
         "SET statement_timeout = " +
         timeout + "; SET idle_in_transaction_session_timeout = " + timeout +
         "; SET tcp_user_timeout = " + timeout + "; SET " + std::string(shared_lock_timeout) +
         " = " + lock +
         "; SET idle_session_timeout = 0; SET enable_seqscan = off; SET jit = off; SET "
         "default_transaction_read_only = off; "
         "SET client_min_messages = warning";
}

/// Why there is no answer.
ConnectError no_answer(PGconn* connection) {
  if (PQstatus(connection) != CONNECTION_BAD) return {"08006", "the server does not answer"};
  return {"08006", pq::trimmed(PQerrorMessage(connection))};
}

pq::ResultPtr ask(PGconn* connection, const std::string& statement, const Patience& patience) {
  if (PQsendQuery(connection, statement.c_str()) != 1) return nullptr;
  return answer(connection, patience);
}

/// Nothing if the result is good.
std::optional<ConnectError> failed(PGconn* connection, const pq::ResultPtr& result) {
  if (result == nullptr) return no_answer(connection);
  const auto status = PQresultStatus(result.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return std::nullopt;
  return ConnectError{pq::sqlstate(result.get()), pq::trimmed(PQresultErrorMessage(result.get()))};
}

/// Prepares all statements in one round trip. The connection is in pipeline mode.
std::optional<ConnectError> prepare_all(PGconn* connection, const Patience& patience) {
  for (std::size_t i = 0; i < statements; ++i) {
    const auto statement = static_cast<Statement>(i);
    if (PQsendPrepare(connection, name(statement), text(statement).c_str(), 0, nullptr) != 1) {
      return no_answer(connection);
    }
  }
  if (PQpipelineSync(connection) != 1) return no_answer(connection);
  for (std::size_t i = 0; i < statements; ++i) {
    if (auto error = failed(connection, answer(connection, patience))) return error;
  }
  // Ends the pipeline, and with it the transaction.
  const pq::ResultPtr end = answer(connection, patience);
  if (PQresultStatus(end.get()) != PGRES_PIPELINE_SYNC) return no_answer(connection);
  return std::nullopt;
}

constexpr std::string_view checks =
    "SELECT current_setting('server_version_num')::integer, pg_is_in_recovery(), "
    "current_setting('fsync'), current_setting('synchronous_commit'), "
    "current_setting('synchronous_standby_names'), "
    "pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), "
    "(date_part('epoch', pg_postmaster_start_time()) * 1000000)::bigint, "
    "(date_part('epoch', clock_timestamp()) * 1000)::bigint, "
    "s.version, coalesce(s.needs, s.version), s.digests, pg_backend_pid() "
    "FROM (SELECT) AS one LEFT JOIN "
    "(SELECT * FROM schema_version ORDER BY version DESC LIMIT 1) AS s ON true";

/// The setting that may lose acknowledged commits, with its remedy; empty if there is none.
std::string unsafe(const PGresult* found, const PostgresOptions& options) {
  const auto value = [&](int column) { return std::string(PQgetvalue(found, 0, column)); };
  if (value(2) != "on")
    return "the server runs with fsync = off, so it may lose committed transactions";
  const std::string commit = value(3);
  if (options.durability == Durability::primary) {
    return commit == "off" ? "synchronous_commit is off, so the server may lose committed "
                             "transactions; set it to on for this role"
                           : "";
  }
  const std::string remedy = ", or set store.postgres.durability: primary";
  if (value(4).empty()) {
    return "store.postgres.durability is quorum, and synchronous_standby_names is empty on the "
           "server; set it" +
           remedy;
  }
  if (commit != "on" && commit != "remote_apply") {
    return "store.postgres.durability is quorum, and synchronous_commit is " + commit +
           "; set it to on for this role" + remedy;
  }
  if (value(5) != "t") {
    return "store.postgres.durability is quorum, and this role cannot see the state of the "
           "standbys; "
           "GRANT pg_read_all_stats to it" +
           remedy;
  }
  return "";
}

}  // namespace

std::variant<Server, ConnectError> check(PGconn* connection, const PostgresOptions& options,
                                         const Patience& patience) {
  const auto asked = Patience::SteadyClock::now();
  const pq::ResultPtr found = ask(connection, std::string(checks), patience);
  if (found == nullptr) return no_answer(connection);
  if (PQresultStatus(found.get()) != PGRES_TUPLES_OK) {
    const std::string state = pq::sqlstate(found.get());
    // No such table: the schema does not exist.
    if (state == "42P01" || state == "3F000")
      return ConnectError{state, schema_problem(0, options)};
    return ConnectError{state, pq::trimmed(PQresultErrorMessage(found.get()))};
  }
  const auto value = [&](int column) { return std::string(PQgetvalue(found.get(), 0, column)); };
  const auto number = [&](int column) {
    const std::string text = value(column);
    return text.empty() ? 0 : std::stoll(text);
  };
  if (number(0) < 150000) {
    return ConnectError{"0A000",
                        "the server's version is below 15, the first one that is supported"};
  }
  if (value(1) == "t") return ConnectError{"25006", "the server is a standby"};
  const SchemaFound schema{static_cast<int>(number(8)), static_cast<int>(number(9)),
                           static_cast<std::uint64_t>(number(10))};
  if (const auto problem = schema_problem(schema, options); !problem.empty()) {
    return ConnectError{"55000", problem};
  }
  if (const std::string why = unsafe(found.get(), options); !why.empty()) {
    return ConnectError{"55000", why};
  }
  const auto since = std::chrono::duration_cast<milliseconds>(asked.time_since_epoch());
  return Server{number(6), number(7) - since.count(), static_cast<int>(number(11)), schema.version,
                value(4)};
}

std::vector<int> idle_processes(PGconn* connection, const std::vector<int>& processes,
                                const Patience& patience) {
  if (processes.empty()) return {};
  std::string list;
  for (const int process : processes) list += (list.empty() ? "" : ",") + std::to_string(process);
  const pq::ResultPtr found =
      ask(connection,
          "SELECT p FROM unnest('{" + list +
              "}'::integer[]) AS p WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a "
              "WHERE a.pid = p AND (a.state IS DISTINCT FROM 'idle' OR "
              "a.state_change > clock_timestamp() - interval '1 second'))",
          patience);
  std::vector<int> idle;
  if (PQresultStatus(found.get()) != PGRES_TUPLES_OK) return idle;
  for (int i = 0; i < PQntuples(found.get()); ++i) {
    idle.push_back(std::stoi(PQgetvalue(found.get(), i, 0)));
  }
  return idle;
}

std::variant<Server, ConnectError> prepare(PGconn* connection, const PostgresOptions& options,
                                           bool listen, const Patience& patience) {
  try {
    if (auto error = failed(connection, ask(connection, settings(connection, options), patience))) {
      return *std::move(error);
    }
    auto server = check(connection, options, patience);
    if (std::holds_alternative<ConnectError>(server)) return server;
    if (listen) {
      const std::string hears = "LISTEN " + quoted(connection, channel_name(options));
      if (auto error = failed(connection, ask(connection, hears, patience))) {
        return *std::move(error);
      }
    }
    if (PQenterPipelineMode(connection) != 1) return no_answer(connection);
    if (auto error = prepare_all(connection, patience)) return *std::move(error);
    if (PQsetnonblocking(connection, 1) != 0) return no_answer(connection);
    return server;
  } catch (const std::runtime_error& error) {
    return ConnectError{"08006", error.what()};
  }
}

}  // namespace onceproxy::store
