// PostgresStore: the Store that several instances share, in a PostgreSQL database. Every instance
// has its own connections. Decisions are made in the database, by its clock.
//
// A loop that watches sockets (Loop::watches) has connections of its own, and its calls stay on its
// thread. Calls from other loops are carried by a thread of the store.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "store/clock.hpp"
#include "store/inspection.hpp"
#include "store/postgres/observer.hpp"
#include "store/postgres/options.hpp"
#include "store/postgres/stats.hpp"
#include "store/store.hpp"

namespace onceproxy::store {

class PostgresStore : public Store {
 public:
  /// Connects once and checks the server and the schema. Throws std::runtime_error with a message
  /// for an operator: invalid options, no server, a schema of another version, settings of the
  /// server that may lose committed transactions. `loops`: how many loops will share the
  /// connections. `clock` is used for the audit log and for counts, decides nothing, and outlives
  /// the store.
  static std::unique_ptr<PostgresStore> open(const PostgresOptions& options, std::size_t loops,
                                             const Clock& clock, PostgresObserver observer);

  virtual PostgresStats stats() const = 0;
  /// Why the store has failed, for operators; empty while it is healthy.
  virtual std::string failure() const = 0;
  /// For operators; lives as long as the store.
  virtual Inspection& inspection() = 0;
  /// Ends calls that wait, writes outcomes that are under way, and closes. From then on calls are
  /// answered with `closing`. All loops but the store's own must have left. Idempotent; the
  /// destructor calls it.
  virtual void close() = 0;
};

struct PostgresTuning;
/// open() with constants that only tests change (tuning.hpp).
std::unique_ptr<PostgresStore> open_tuned(const PostgresOptions& options, std::size_t loops,
                                          const PostgresTuning& tuning, const Clock& clock,
                                          PostgresObserver observer);

}  // namespace onceproxy::store
