// Query: one statement under way, and what becomes of it. Whoever makes it decides what its answer
// means; it is told of it exactly once, on the thread of its channel.
// Not thread-safe: one thread at a time.
#pragma once

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstdint>
#include <string>

#include "store/postgres/connecting.hpp"
#include "store/postgres/pq.hpp"
#include "store/postgres/statements.hpp"

namespace onceproxy::store {

struct Reply {
  /// The rows; null where there are none because of an error.
  pq::ResultPtr result;
  /// Empty: the transaction is committed.
  std::string sqlstate;
  std::string error;
  /// The connection broke, or the channel closes: what happened is not known.
  bool lost = false;
  /// It never left this process.
  bool unsent = false;
  /// It was committed on the primary, and the wait for a standby was cut short.
  bool unconfirmed = false;
  /// Server::epoch of the connection.
  std::int64_t epoch = 0;

  bool good() const { return !lost && sqlstate.empty(); }
  pq::Row row() const { return {result.get(), 0}; }
  int rows() const { return PQntuples(result.get()); }
};

class Query : public boost::intrusive::list_base_hook<> {
 public:
  using SteadyClock = std::chrono::steady_clock;

  explicit Query(Statement what) : statement(what) {}
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  virtual ~Query() = default;

  /// The parameters, as they are when it is sent. What they point to must stay until then.
  virtual void bind(pq::Params& params, const Server& server) const = 0;
  /// The end. May destroy the query, and send it again.
  virtual void replied(Reply reply) = 0;
  /// The deadline has passed; replied() follows all the same, perhaps much later. Must not destroy
  /// the query.
  virtual void late() = 0;

  const Statement statement;
  SteadyClock::time_point deadline{};
  /// late() was called.
  bool is_late = false;
  SteadyClock::time_point sent{};

 protected:
  /// The deadline by the server's clock, in milliseconds since 1970.
  std::int64_t not_after(const Server& server) const {
    return server.clock_offset +
           std::chrono::duration_cast<std::chrono::milliseconds>(deadline.time_since_epoch())
               .count();
  }
};

using QueryList = boost::intrusive::list<Query>;

}  // namespace onceproxy::store
