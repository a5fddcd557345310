#include "store/postgres/connecting.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "store/postgres/schema.hpp"
#include "store/postgres/statements.hpp"

namespace onceproxy::store {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// A session belongs to us alone, so what it is like is said once. The search path ends with
/// pg_temp, which would otherwise come first and hide the schema's own tables. That a commit did
/// not wait for its standby is told by a warning alone, so neither the role's settings nor those in
/// the URL may hide warnings.
std::string settings(PGconn* connection, const PostgresOptions& options) {
  const auto timeout = std::to_string(options.operation_timeout.count());
  return "SET search_path = " + quoted(connection, options.schema) +
         ", pg_temp; SET default_transaction_isolation = 'read committed'; "
         "SET statement_timeout = " +
         timeout + "; SET idle_in_transaction_session_timeout = " + timeout +
         "; SET default_transaction_read_only = off; SET client_min_messages = warning";
}

ConnectError error_of(PGconn* connection, std::string state) {
  return {std::move(state), pq::trimmed(PQerrorMessage(connection))};
}

/// The first line of the password's file.
std::variant<std::string, ConnectError> read_password(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string password;
  if (!file || !std::getline(file, password)) {
    return ConnectError{"28000", "the password cannot be read from " + path.string()};
  }
  if (!password.empty() && password.back() == '\r') password.pop_back();
  return password;
}

/// Waits until libpq can go on. False: the time is over, or nobody wants it any more.
bool wait_for(PGconn* connection, PostgresPollingStatusType what, SteadyClock::time_point end,
              const std::atomic<bool>& cancelled) {
  pollfd watched{PQsocket(connection), 0, 0};
  watched.events = what == PGRES_POLLING_READING ? POLLIN : POLLOUT;
  while (!cancelled.load() && SteadyClock::now() < end) {
    const int ready = ::poll(&watched, 1, 50);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
  }
  return false;
}

}  // namespace

std::variant<pq::ConnectionPtr, ConnectError> connect(const PostgresOptions& options,
                                                      const std::atomic<bool>& cancelled) {
  std::string password;
  if (!options.password_file.empty()) {
    auto read = read_password(options.password_file);
    if (auto* const error = std::get_if<ConnectError>(&read)) return std::move(*error);
    password = std::get<std::string>(std::move(read));
  }
  // A cut network is noticed by the kernel in the time that an operation may take.
  const std::string timeout = std::to_string(options.operation_timeout.count());
  const auto idle = std::max<std::int64_t>(options.operation_timeout.count() / 1000, 1);
  const std::string seconds = std::to_string(idle);
  const std::array<std::pair<const char*, const char*>, 11> given{{
      {"dbname", options.url.c_str()},
      {"fallback_application_name", "onceproxy"},
      {"target_session_attrs", "read-write"},
      {"client_encoding", "UTF8"},
      {"tcp_user_timeout", timeout.c_str()},
      {"keepalives", "1"},
      {"keepalives_idle", seconds.c_str()},
      {"keepalives_interval", seconds.c_str()},
      {"keepalives_count", "3"},
      {password.empty() ? nullptr : "password", password.c_str()},
      {nullptr, nullptr},
  }};
  std::array<const char*, 12> keys{};
  std::array<const char*, 12> values{};
  for (std::size_t i = 0; i < given.size(); ++i) {
    keys[i] = given[i].first;
    values[i] = given[i].second;
  }
  pq::ConnectionPtr connection(PQconnectStartParams(keys.data(), values.data(), 1));
  if (connection == nullptr) return ConnectError{"53200", "there is no memory for a connection"};
  const auto end = SteadyClock::now() + options.connect_timeout;
  auto what = PGRES_POLLING_WRITING;
  while (PQstatus(connection.get()) != CONNECTION_BAD && what != PGRES_POLLING_OK &&
         what != PGRES_POLLING_FAILED) {
    if (!wait_for(connection.get(), what, end, cancelled)) {
      return ConnectError{"08001", "the server does not answer"};
    }
    what = PQconnectPoll(connection.get());
  }
  if (what != PGRES_POLLING_OK) return error_of(connection.get(), "08001");
  // Notices are for whoever uses the connection; libpq prints them otherwise.
  PQsetNoticeReceiver(
      connection.get(), [](void*, const PGresult*) {}, nullptr);
  return connection;
}

std::string quoted(PGconn* connection, const std::string& identifier) {
  char* const out = PQescapeIdentifier(connection, identifier.data(), identifier.size());
  if (out == nullptr) {
    throw std::runtime_error("the name \"" + identifier + "\" cannot be used in the database: " +
                             pq::trimmed(PQerrorMessage(connection)));
  }
  std::string text = out;
  PQfreemem(out);
  return text;
}

pq::ResultPtr run(PGconn* connection, const std::string& statement, const std::string& what) {
  pq::ResultPtr result(PQexec(connection, statement.c_str()));
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
    throw std::runtime_error(what + ": " + pq::trimmed(PQerrorMessage(connection)));
  }
  return result;
}

std::string channel_name(const PostgresOptions& options) {
  // An identifier has 63 bytes at most, and so has the schema's name.
  return "settled_" + options.schema.substr(0, 50);
}

std::string wrong_options(const PostgresOptions& options) {
  if (options.url.empty()) return "store.postgres.url is missing";
  char* error = nullptr;
  PQconninfoOption* const parsed = PQconninfoParse(options.url.c_str(), &error);
  if (parsed == nullptr) {
    std::string why = pq::trimmed(error);
    PQfreemem(error);
    // libpq's message may quote the URL, and a password with it.
    const bool quotes = why.find(options.url) != std::string::npos;
    return "store.postgres.url cannot be read" + (quotes ? std::string() : ": " + why);
  }
  std::string wrong;
  for (const PQconninfoOption* at = parsed; at->keyword != nullptr; ++at) {
    if (std::string_view(at->keyword) == "password" && at->val != nullptr &&
        !options.password_file.empty()) {
      wrong = "store.postgres.url holds a password, and store.postgres.password_file is given too";
    }
  }
  PQconninfoFree(parsed);
  if (wrong.empty() && options.connections == 0) {
    wrong = "store.postgres.connections must be above zero";
  }
  if (wrong.empty() && (options.schema.empty() || options.schema.size() > 50)) {
    wrong = "store.postgres.schema must have 1 to 50 bytes";
  }
  return wrong;
}

namespace {

constexpr std::string_view checks =
    "SELECT current_setting('server_version_num')::integer, pg_is_in_recovery(), "
    "current_setting('fsync'), current_setting('synchronous_commit'), "
    "current_setting('synchronous_standby_names'), "
    "pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), "
    "(date_part('epoch', pg_postmaster_start_time()) * 1000000)::bigint, "
    "(date_part('epoch', clock_timestamp()) * 1000)::bigint, "
    "(SELECT max(version) FROM schema_version)";

/// What would lose what was acknowledged, or nothing.
std::string unsafe(const PGresult* found, const PostgresOptions& options) {
  const auto value = [&](int column) { return std::string(PQgetvalue(found, 0, column)); };
  if (value(2) != "on") return "the server runs with fsync = off, so it may lose what it commits";
  const std::string commit = value(3);
  if (options.durability == Durability::primary) {
    return commit == "off" ? "synchronous_commit is off, so the server may lose what it commits; "
                             "set it to on for this role"
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
    return "store.postgres.durability is quorum, and this role cannot see what the standbys have; "
           "GRANT pg_read_all_stats to it" +
           remedy;
  }
  return "";
}

std::variant<Server, ConnectError> check(PGconn* connection, const PostgresOptions& options) {
  const auto asked = SteadyClock::now();
  const pq::ResultPtr found(PQexec(connection, std::string(checks).c_str()));
  if (PQresultStatus(found.get()) != PGRES_TUPLES_OK) {
    const std::string state = pq::sqlstate(found.get());
    // No such table: the schema is not there.
    if (state == "42P01" || state == "3F000")
      return ConnectError{state, schema_problem(0, options)};
    return error_of(connection, state);
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
  if (const auto problem = schema_problem(static_cast<int>(number(8)), options); !problem.empty()) {
    return ConnectError{"55000", problem};
  }
  if (const std::string why = unsafe(found.get(), options); !why.empty()) {
    return ConnectError{"55000", why};
  }
  const auto since = std::chrono::duration_cast<milliseconds>(asked.time_since_epoch());
  return Server{number(6), number(7) - since.count()};
}

}  // namespace

std::variant<Server, ConnectError> prepare(PGconn* connection, const PostgresOptions& options,
                                           bool listen) {
  try {
    run(connection, settings(connection, options), "settings");
    auto server = check(connection, options);
    if (std::holds_alternative<ConnectError>(server)) return server;
    if (listen) run(connection, "LISTEN " + quoted(connection, channel_name(options)), "LISTEN");
    for (std::size_t i = 0; i < statements; ++i) {
      const auto statement = static_cast<Statement>(i);
      const pq::ResultPtr prepared(
          PQprepare(connection, name(statement), text(statement).c_str(), 0, nullptr));
      if (PQresultStatus(prepared.get()) != PGRES_COMMAND_OK) {
        return error_of(connection, pq::sqlstate(prepared.get()));
      }
    }
    if (PQsetnonblocking(connection, 1) != 0 || PQenterPipelineMode(connection) != 1) {
      return error_of(connection, "08006");
    }
    return server;
  } catch (const std::runtime_error& error) {
    return ConnectError{"08006", error.what()};
  }
}

}  // namespace onceproxy::store
