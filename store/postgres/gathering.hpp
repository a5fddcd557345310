// Gathering: the operations of a channel that may share a statement. Those that are called for
// while the statement of earlier ones is under way are sent together when it is answered. So a
// single operation is sent at once, and the more there are, the less each costs. If the answer is
// long in coming, because the statement waits for a lock, others are sent without it.
//
// Not thread-safe: to be used on its channel's thread.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "store/postgres/batch.hpp"
#include "store/postgres/tuning.hpp"

namespace onceproxy::store {

class Gathering final : private Batch::Owner {
 public:
  class Sender {
   public:
    /// Whether a session could take a statement now.
    virtual bool has_room() const = 0;
    /// Sends what waits, as long as there is room.
    virtual void pump() = 0;
    /// False: it could not be sent, and the caller keeps it.
    virtual bool send_now(Query& query) = 0;
    /// A statement of several operations has failed and done nothing.
    virtual void undone(const Reply& reply) = 0;
    /// Sends it when there is room. If that is not possible, it gets its reply within this call.
    virtual void send_alone(Query& query) = 0;

   protected:
    ~Sender() = default;
  };

  Gathering(Sender& sender, const PostgresTuning& tuning) : sender_(sender), tuning_(tuning) {}
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;

  /// The query must share().
  void add(Query& query);
  std::size_t size() const { return size_; }
  /// Whether a statement with this query may be sent before another is answered.
  bool may_send(const Query& query) const { return may_send(of(query.statement)); }
  /// Sends one statement, with as many of its operations as possible or with a single one. The
  /// kinds of operations take turns. False: there is nothing to send now, or no room.
  bool send_one(bool together);
  /// Removes the queries whose deadline has passed.
  QueryList take_overdue(Query::SteadyClock::time_point now);
  QueryList take_all();

 private:
  /// The queries of one statement.
  struct Kind {
    QueryList waiting;
    std::size_t count = 0;
    /// Batches that were not answered, and are not late.
    std::size_t under_way = 0;
    /// When the last one was sent.
    Query::SteadyClock::time_point sent;
  };

  void ended(const Batch& batch) override;
  void undone(const Reply& reply) override { sender_.undone(reply); }
  void send_again(const std::vector<Query*>& members, std::size_t at_most) override;

  Kind& of(Statement statement) { return kinds_[index(statement)]; }
  const Kind& of(Statement statement) const { return kinds_[index(statement)]; }
  static std::size_t index(Statement statement) { return statement == Statement::reserve ? 0 : 1; }
  bool may_send(const Kind& kind) const;
  bool send_batch(Kind& kind);
  bool send_first_alone(Kind& kind);

  Sender& sender_;
  const PostgresTuning& tuning_;
  std::array<Kind, 2> kinds_;
  /// Whose turn it is.
  std::size_t next_ = 0;
  std::size_t size_ = 0;
};

}  // namespace onceproxy::store
