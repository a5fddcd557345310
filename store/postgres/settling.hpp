// Settling: the end of one reservation on its way to the database. It owns itself while it is under
// way. Its caller is told within the operation's time; an outcome that could not be written by then
// is kept and written as soon as the database answers, as long as its lease lasts.
//
// Sent again after a lost connection it does nothing twice: the nonce tells what the first one did.
//
// Not thread-safe: its channel's thread. begin() is called by the thread of the call.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/answer.hpp"
#include "store/audit/entry.hpp"
#include "store/postgres/channel.hpp"
#include "store/postgres/work.hpp"
#include "store/result.hpp"

namespace onceproxy::store {

class Settling final : public Query {
 public:
  /// What is written.
  struct What {
    Fingerprint fingerprint;
    Nonce nonce{};
    /// As it was held; of an undo only the end of its lease.
    Holding holding;
    StoredAnswer answer;
    std::vector<Fingerprint> ends;
    /// Why it did not happen, or nobody knows.
    std::string error;
    int status = 0;
    /// A reservation that nobody holds is released, not before that time.
    bool undo = false;
    SteadyClock::time_point from{};
  };

  /// Statement::complete, release or mark_unknown.
  static void begin(Work& work, Channel& channel, bool on_thread, Statement verb, What what,
                    Call<Settled>& call);
  /// One that nobody waits for, to be kept.
  static std::unique_ptr<Settling> undo(Work& work, Channel& house, What what);

  /// Once more, on `channel`. It owns itself from here on.
  void retry(Channel& channel);
  /// It can be given up: its lease has ended.
  bool expired() const { return SteadyClock::now() >= what_.holding.lease_ends; }
  bool due() const { return SteadyClock::now() >= what_.from; }
  void give_up();
  std::size_t bytes() const;

  void bind(pq::Params& params, const Server& server) const override;
  void replied(Reply reply) override;
  void late() override;

 private:
  struct Confirming final : Confirmation {
    Confirming(Loop& loop, Settling& whose);
    Settling& owner;
  };

  Settling(Work& work, Channel& channel, Statement verb, What what, Call<Settled>* call);

  void send();
  void trouble(const Reply& reply);
  void confirmed();
  void done(const pq::Row& row);
  void remember(const pq::Row& row);
  void write_down();
  void answer(Settled settled);
  void keep();

  Work& work_;
  Channel* channel_;
  What what_;
  /// Null: it was answered, or nobody waits.
  Call<Settled>* call_;
  /// An earlier statement of ours may have come through.
  bool again_ = false;
  unsigned tries_ = 0;
  std::optional<Confirming> confirming_;
  Reply kept_;
};

}  // namespace onceproxy::store
