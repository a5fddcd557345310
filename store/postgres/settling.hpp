// Settling: one outcome on its way to the database. It owns itself while it is under way. Its
// caller is answered within the operation's time. An outcome that could not be written by then is
// kept, and written when the database answers again, as long as its lease lasts.
//
// If it is sent again after a lost connection, nothing is done twice, because the nonce shows what
// the first statement did.
//
// Not thread-safe: to be used on its channel's thread. begin() is called on the thread of the call.
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
    /// The holding that is settled; for an undo only the end of its lease.
    Holding holding;
    StoredAnswer answer;
    std::vector<Fingerprint> ends;
    /// Why the operation was not done, or its outcome is unknown.
    std::string error;
    int status = 0;
    /// For an undo: the time before which the reservation must not be released.
    bool undo = false;
    SteadyClock::time_point from{};
  };

  /// Statement::complete, release or mark_unknown.
  static void begin(Work& work, Channel& channel, bool on_thread, Statement verb, What what,
                    Call<Settled>& call);
  /// A settlement without a caller, which releases a reservation.
  static std::unique_ptr<Settling> undo(Work& work, Channel& house, What what);

  /// Sends it again on `channel`. From then on it owns itself.
  void retry(Channel& channel);
  /// Whether its lease has ended, so that it can be given up.
  bool expired() const { return SteadyClock::now() >= what_.holding.lease_ends; }
  bool due() const { return SteadyClock::now() >= what_.from; }
  void give_up();
  std::size_t bytes() const;

  void bind(pq::Params& params, const Server& server) const override;
  void replied(Reply reply) override;
  void late() override;
  bool shares() const override;
  std::string_view locks() const override { return what_.fingerprint.view(); }

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
  void release_again() const;
  void write_down();
  void answer(Settled settled);
  void keep();

  Work& work_;
  Channel* channel_;
  What what_;
  /// Null: the call was answered, or there is no caller.
  Call<Settled>* call_;
  /// An earlier statement of this settlement may have been executed.
  bool again_ = false;
  unsigned tries_ = 0;
  std::optional<Confirming> confirming_;
  Reply kept_;
};

}  // namespace onceproxy::store
