// Connecting to the database: from the URL and the password file to a session that is ready, or the
// reason why not. These functions block, so they are called on threads where that delays no
// request.
//
// Thread-safe. No message contains a password.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "store/postgres/boot_clock.hpp"
#include "store/postgres/options.hpp"
#include "store/postgres/pq.hpp"

namespace onceproxy::store {

/// Why there is no connection.
struct ConnectError {
  /// SQLSTATE; 08001 if the server was not reached.
  std::string state;
  std::string message;
};

/// How long to wait for a server: until `end`, or until `cancelled` becomes true.
struct Patience {
  using SteadyClock = BootClock;
  SteadyClock::time_point end;
  const std::atomic<bool>& cancelled;
};

/// Opens a session on a server that accepts writes. Gives up after the connect timeout or when
/// `cancelled` becomes true. The hosts of the URL share the timeout, so a host that accepts
/// connections and does not answer does not hide the others. `first`: the host to begin with; it is
/// set to the host that was reached. Null: begin with the first one.
std::variant<pq::ConnectionPtr, ConnectError> connect(const PostgresOptions& options,
                                                      const std::atomic<bool>& cancelled,
                                                      std::size_t* first = nullptr);

/// The answer to what was sent. Of several answers it is the first error, or else the last one.
/// Null: no answer came in time, or the connection broke.
pq::ResultPtr answer(PGconn* connection, const Patience& patience);

/// What was found out about the server while a connection was prepared.
struct Server {
  /// Identifies one run of one server. Positions in the write-ahead log of another run have no
  /// meaning here.
  std::int64_t epoch = 0;
  /// The server's clock minus this machine's BootClock, in milliseconds, when the session was
  /// made.
  std::int64_t clock_offset = 0;
  /// The server's process for this session.
  int process = 0;
  /// The version of the schema. It may be newer than that of this program (SchemaFound::needs).
  int schema = 0;
  std::string standby_names;
};

/// Checks whether the server may be used: its version and schema, that it is not a standby, and
/// that its settings do not allow it to lose committed transactions. The session's search path must
/// name the schema.
std::variant<Server, ConnectError> check(PGconn* connection, const PostgresOptions& options,
                                         const Patience& patience);

/// Makes a session ready for requests: settings, checks, prepared statements, pipeline mode.
/// `listen`: the session also receives the notifications of other instances.
std::variant<Server, ConnectError> prepare(PGconn* connection, const PostgresOptions& options,
                                           bool listen, const Patience& patience);

/// Which of these processes of the server have nothing to do, or have ended. One that has become
/// idle within the last second is left out, because its answer may be on its way. Empty if the
/// server does not answer. Called before prepare().
std::vector<int> idle_processes(PGconn* connection, const std::vector<int>& processes,
                                const Patience& patience);

/// The name of the channel (LISTEN) on which instances notify each other.
std::string channel_name(const PostgresOptions& options);

/// What is wrong with the options: two passwords, a URL that libpq cannot read, no connections.
/// Empty if nothing is wrong.
std::string wrong_options(const PostgresOptions& options);

/// Runs statements that take no parameters and waits for them. Throws std::runtime_error with the
/// server's message; `what` says what was being done.
pq::ResultPtr run(PGconn* connection, const std::string& statement, const std::string& what);

/// An identifier, quoted for use in a statement.
std::string quoted(PGconn* connection, const std::string& identifier);

}  // namespace onceproxy::store
