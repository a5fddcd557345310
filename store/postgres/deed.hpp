// Deed: one change of the ledger that is sent to the database: a claim, the end of an attempt, or
// an operator's change. It is sent again after conflicts and lost connections. Like an outcome
// (settling.hpp), it counts when the standbys have it. It owns itself while it is under way.
//
// The database functions (sql/2_deliver.sql) return these columns, in this order: a code, the
// server's time, whether a call waits for the turn of an entity, that entity, the position in the
// write-ahead log, and whether the position is confirmed.
//
// Not thread-safe: to be used on its channel's thread. begin() may be called from any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "store/postgres/channel.hpp"
#include "store/postgres/work.hpp"

namespace onceproxy::store {

class Deed final : public Query {
 public:
  enum Column { o_code, o_now, o_queued, o_entity, o_lsn, o_confirmed, o_first };

  struct Task {
    /// Sets the parameters, except for the last two: the deadline by the server's clock, and
    /// whether a commit must wait for a standby. The values that it sets must live as long as this
    /// function object.
    std::function<void(pq::Params&)> bind;
    /// Called when the change was done or refused, with the answer and the time at which the
    /// statement was sent.
    std::function<void(const pq::Row&, SteadyClock::time_point sent)> done;
    /// Called at most once, if it is not known whether the change was done. done() can follow only
    /// if the deed is kept.
    std::function<void()> failed;
    /// Whether the statement may be sent again: it then finds what it did the first time.
    bool repeatable = true;
    /// Takes a deed of which it is not known whether it was done, to retry() it later.
    std::function<void(std::unique_ptr<Deed>)> keep = {};
  };

  /// `on_thread`: the caller runs on the channel's thread.
  static void begin(const Work& work, Channel& channel, bool on_thread, Statement statement,
                    Task task);

  /// Sends it again on `channel`. From then on it owns itself.
  void retry(Channel& channel);

  void bind(pq::Params& params, const Server& server) const override;
  void replied(Reply reply) override;
  void late() override;

 private:
  struct Confirming final : Confirmation {
    Confirming(Loop& loop, Deed& whose);
    Deed& owner;
  };

  Deed(const Work& work, Channel& channel, Statement what, Task task)
      : Query(what), work_(work), channel_(&channel), task_(std::move(task)) {}

  void send();
  void trouble(const Reply& reply);
  void confirm(Reply reply);
  void confirmed();
  void conclude(const Reply& reply);
  void tell_failed();
  void give_up();

  const Work& work_;
  Channel* channel_;
  const Task task_;
  unsigned tries_ = 0;
  bool told_ = false;
  std::optional<Confirming> confirming_;
  Reply kept_;
};

}  // namespace onceproxy::store
