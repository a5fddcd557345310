// Batch: several operations that are sent as one statement. They share a round trip, a transaction
// and its commit, which is what an operation costs most. Each gets its own answer. Only operations
// that lock nothing but their record are sent so, in the order in which all statements lock
// records.
//
// If the statement fails, it has done nothing, and each operation is sent by itself, so that none
// fails because of another. If it has waited too long for a lock, the operations are sent in
// smaller groups, so that the one that waits delays only a few others. An operation whose stored
// answer is large is sent again by itself, to read that. A batch owns itself while it is under way.
//
// Not thread-safe: to be used on its channel's thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "store/postgres/query.hpp"

namespace onceproxy::store {

class Batch final : public Query {
 public:
  class Owner {
   public:
    /// It was answered, or is late. Called once for each batch.
    virtual void ended(const Batch& batch) = 0;
    /// The statement has failed and done nothing; its operations are sent again.
    virtual void undone(const Reply& reply) = 0;
    /// Sends the operations again, at most so many with one statement.
    virtual void send_again(const std::vector<Query*>& members, std::size_t at_most) = 0;

   protected:
    ~Owner() = default;
  };

  /// Queries of one statement, which share(), at least one. A batch of one is that query's
  /// statement.
  Batch(Owner& owner, std::vector<Query*> members);

  const std::vector<Query*>& members() const { return members_; }
  /// The statement of each member.
  Statement of() const { return of_; }

  void bind(pq::Params& params, const Server& server) const override;
  void replied(Reply reply) override;
  bool tell_late(SteadyClock::time_point now) override;
  void late() override {}

 private:
  void failed(const Reply& reply);
  void end();

  Owner& owner_;
  const std::vector<Query*> members_;
  const Statement of_;
  bool ended_ = false;
};

}  // namespace onceproxy::store
