// How a connection to the database is made: from the URL and the password's file to a session that
// may be used, or the reason why not. It blocks, and is called where that holds up nobody.
//
// Thread-safe. No message holds a password.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "store/postgres/options.hpp"
#include "store/postgres/pq.hpp"

namespace onceproxy::store {

/// Why there is no connection.
struct ConnectError {
  /// SQLSTATE; 08001 where the server was not reached.
  std::string state;
  std::string message;
};

/// How long a server is waited for: until `end`, or until `cancelled` becomes true.
struct Patience {
  using SteadyClock = std::chrono::steady_clock;
  SteadyClock::time_point end;
  const std::atomic<bool>& cancelled;
};

/// Opens a session on a server that takes writes. Gives up with the connect timeout, which the
/// URL's hosts share, so that one which accepts and is silent does not hide the others; or when
/// `cancelled` becomes true. `first`: with which host to begin, and then the one that was reached;
/// null: with the first one.
std::variant<pq::ConnectionPtr, ConnectError> connect(const PostgresOptions& options,
                                                      const std::atomic<bool>& cancelled,
                                                      std::size_t* first = nullptr);

/// The answer to what was sent: of several the last one, or the first that is an error. Null: there
/// is none in time, or the connection broke.
pq::ResultPtr answer(PGconn* connection, const Patience& patience);

/// What was found out about the server while a connection was prepared.
struct Server {
  /// Which run of which server this is: places in the log of another one say nothing here.
  std::int64_t epoch = 0;
  /// The server's clock less this machine's steady clock, in milliseconds, when the session was
  /// made.
  std::int64_t clock_offset = 0;
};

/// Whether the server may be used: its version, its schema, that it is no standby, and that its
/// settings lose nothing that was committed. The session's search path names the schema.
std::variant<Server, ConnectError> check(PGconn* connection, const PostgresOptions& options,
                                         const Patience& patience);

/// Makes a session ready for requests: settings, checks, prepared statements, pipeline mode.
/// `listen`: it also hears what other instances tell.
std::variant<Server, ConnectError> prepare(PGconn* connection, const PostgresOptions& options,
                                           bool listen, const Patience& patience);

/// The channel on which instances tell each other what was settled.
std::string channel_name(const PostgresOptions& options);

/// What an operator set that cannot be: an empty text where nothing is. Two passwords, a URL that
/// libpq cannot read, no connections.
std::string wrong_options(const PostgresOptions& options);

/// Runs statements that take no parameters and waits for them. Throws std::runtime_error with the
/// server's message; `what` says what was being done.
pq::ResultPtr run(PGconn* connection, const std::string& statement, const std::string& what);

/// An identifier as it stands in a statement.
std::string quoted(PGconn* connection, const std::string& identifier);

}  // namespace onceproxy::store
