// Connection: one session with the database in libpq's pipeline mode, its socket watched by a loop.
// Statements are sent without waiting for the answers of those before them; each is a transaction
// of its own, since a failure of one must not undo another.
//
// A commit counts from the moment that the server says that the transaction is over. A warning
// before that, that the wait for a standby was cut short, belongs to the statement that is being
// ended.
//
// Not thread-safe: the loop's thread. Destroyed, it tells no query any more: broken() tells which
// those are.
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
    /// The session is of no use any more. The owner destroys the connection soon, not in this call.
    virtual void broken(Connection& connection, const std::string& why) = 0;
    /// Another instance has told something.
    virtual void notified(std::string_view text) = 0;

   protected:
    ~Owner() = default;
  };

  Connection(Loop& loop, pq::ConnectionPtr session, const Server& server, Owner& owner);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// False: it could not be sent, and stays the caller's.
  bool send(Query& query);
  void flush();

  bool usable() const { return !broken_; }
  std::size_t in_flight() const { return queries_.size(); }
  /// The first one that waits for an answer is late: those behind it would be, too.
  bool stuck() const { return !queries_.empty() && queries_.front().is_late; }
  /// Tells those whose deadline has passed; true: there was one.
  bool tell_late(Query::SteadyClock::time_point now);
  /// Since when it has been without an answer; now where it waits for none.
  Query::SteadyClock::time_point silent_since(Query::SteadyClock::time_point now) const;
  /// What was sent and not answered.
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
  /// Its clock's offset is corrected by what the server answers.
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
