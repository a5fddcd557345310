// Query: one statement under way. The class that derives from it decides what the answer means;
// replied() is called exactly once, on the thread of its channel.
#pragma once

#include <algorithm>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "store/postgres/connecting.hpp"
#include "store/postgres/pq.hpp"
#include "store/postgres/statements.hpp"

namespace onceproxy::store {

struct Reply {
  /// The rows; null if there was an error. Replies to one statement may share it (batch.hpp).
  std::shared_ptr<PGresult> result;
  /// The row that this reply consists of; below zero: all of them.
  int only = -1;
  /// Empty: the transaction is committed.
  std::string sqlstate;
  std::string error;
  /// The connection broke, or the channel is closing: whether the statement was executed is
  /// unknown.
  bool lost = false;
  /// The statement was never sent.
  bool unsent = false;
  /// The transaction was committed on the primary, but the wait for a standby was cut short.
  bool unconfirmed = false;
  /// Server::epoch of the connection.
  std::int64_t epoch = 0;

  bool good() const { return !lost && sqlstate.empty(); }
  pq::Row row() const { return {result.get(), std::max(only, 0)}; }
  int rows() const { return only < 0 ? PQntuples(result.get()) : 1; }
};

class Query : public boost::intrusive::list_base_hook<> {
 public:
  using SteadyClock = BootClock;

  explicit Query(Statement what) : statement(what) {}
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  virtual ~Query() = default;

  /// Sets the parameters; called when the statement is sent. What they point to must live until
  /// then.
  virtual void bind(pq::Params& params, const Server& server) const = 0;
  /// The end of the query. May destroy it, or send it again.
  virtual void replied(Reply reply) = 0;
  /// The deadline has passed; replied() still follows, perhaps much later. Must not destroy the
  /// query.
  virtual void late() = 0;
  /// Calls late() if the deadline has passed and it was not called yet. True: it was called.
  virtual bool tell_late(SteadyClock::time_point now) {
    if (is_late || deadline > now) return false;
    is_late = true;
    late();
    return true;
  }
  /// Whether it may share a statement and its transaction with others (batch.hpp).
  virtual bool shares() const { return false; }
  /// The record that it locks. Statements lock records in the order of their fingerprints.
  virtual std::string_view locks() const { return {}; }

  const Statement statement;
  SteadyClock::time_point deadline{};
  /// Whether late() was called.
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

/// A statement that was refused as too late although its deadline has not passed has done nothing:
/// the offset to the server's clock was wrong. The reply then says that it is to be sent again.
void retry_if_in_time(const Query& query, Reply& reply);

}  // namespace onceproxy::store
