// Connection: one session with the database in libpq's pipeline mode, whose socket a loop watches.
// Statements are sent without waiting for the answers of earlier ones. Each is a transaction of its
// own, because a failure of one must not undo another.
//
// A commit counts when the server reports the end of the transaction. A warning before that, which
// says that the wait for a standby was cut short, belongs to the statement that is being ended.
//
// Not thread-safe: to be used on the loop's thread. The destructor calls no query; broken() returns
// the queries that are left.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "store/call.hpp"
#include "store/postgres/query.hpp"

namespace onceproxy::store {

class Connection {
 public:
  class Owner {
   public:
    /// The session cannot be used any more. The owner destroys the connection soon, but not within
    /// this call.
    virtual void broken(Connection& connection, const std::string& why) = 0;
    /// Statements were answered, so there may be room for others.
    virtual void answered() = 0;
    /// A notification of another instance arrived.
    virtual void notified(std::string_view text) = 0;

   protected:
    ~Owner() = default;
  };

  Connection(Loop& loop, pq::ConnectionPtr session, const Server& server, Owner& owner);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// False: the query could not be sent, and the caller keeps it.
  bool send(Query& query);
  void flush();

  bool usable() const { return !broken_; }
  std::int64_t epoch() const { return server_.epoch; }
  int process() const { return server_.process; }
  std::size_t in_flight() const { return queries_.size(); }
  /// Whether the oldest unanswered statement is late. Statements behind it would be late, too.
  bool stuck() const { return !queries_.empty() && queries_.front().is_late; }
  /// Calls late() of the queries whose deadline has passed. True: there was one.
  bool tell_late(Query::SteadyClock::time_point now);
  /// Since when an answer has been missing; the current time if none is.
  Query::SteadyClock::time_point silent_since(Query::SteadyClock::time_point now) const;
  /// The queries that were sent and not answered.
  QueryList take_all();

 private:
  void ready();
  void read_results();
  void take(pq::ResultPtr result);
  void finish();
  void follow_clock(const Query& query, Reply& reply);
  void fail(const std::string& why);
  static void hear_notice(void* self, const PGresult* notice);

  Loop& loop_;
  pq::ConnectionPtr session_;
  /// The clock offset in it is corrected by the server's answers.
  Server server_;
  Owner& owner_;
  std::unique_ptr<SocketWatch> watch_;
  pq::Params params_;
  QueryList queries_;
  Reply reply_;
  bool writing_ = false;
  bool broken_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace onceproxy::store
