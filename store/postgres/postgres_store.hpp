// PostgresStore: the Store of several machines, in a PostgreSQL database that they share. Every
// instance keeps its own connections; what decides is in the database, by its clock.
//
// A loop that watches sockets (Loop::watches) has connections of its own, and its calls change no
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
  /// Connects once and looks at the server and the schema. Throws std::runtime_error with a message
  /// for an operator: options that cannot be, no server, a schema that is not this program's,
  /// settings of the server that may lose committed transactions. `loops`: how many loops will
  /// share the connections. `clock` is for the audit log and counts; it decides nothing, and
  /// outlives the store.
  static std::unique_ptr<PostgresStore> open(const PostgresOptions& options, std::size_t loops,
                                             const Clock& clock, PostgresObserver observer);

  virtual PostgresStats stats() const = 0;
  /// Why the store promises nothing just now, for operators; empty while it is healthy.
  virtual std::string failure() const = 0;
  /// For operators; lives as long as the store.
  virtual Inspection& inspection() = 0;
  /// Ends what waits, writes what is under way, and closes. Verbs answer `closing` from then on.
  /// All loops but the store's own have left. Idempotent; the destructor calls it.
  virtual void close() = 0;
};

struct PostgresTuning;
/// open(), with what no operator sets and tests do (tuning.hpp).
std::unique_ptr<PostgresStore> open_tuned(const PostgresOptions& options, std::size_t loops,
                                          const PostgresTuning& tuning, const Clock& clock,
                                          PostgresObserver observer);

}  // namespace onceproxy::store
