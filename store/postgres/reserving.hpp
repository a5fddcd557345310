// Reserving: one call of reserve(), also where an event is stored with the reservation. It looks at
// what this process knows, asks the database, waits if it has to, and answers the call. It owns
// itself while it is under way.
//
// If the connection breaks while its statement is under way, the same statement is sent again on
// another connection; the nonce shows whether the first one was executed. If there is no time left
// for that, the call is answered as Unavailable, and what may have been reserved is released as
// soon as the database answers. That is safe because nothing was forwarded under it. An event that
// may have been stored is not taken back: it is delivered, and its duplicates are acknowledged.
//
// Not thread-safe: to be used on its channel's thread. begin() is called on the thread of the call.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "store/postgres/channel.hpp"
#include "store/postgres/work.hpp"
#include "store/request.hpp"
#include "store/result.hpp"

namespace onceproxy::store {

class Reserving final : public Query {
 public:
  /// As Store::reserve().
  static bool begin(Work& work, Channel& channel, bool on_thread, const ReserveRequest& request,
                    Call<ReserveResult>& call);

  void bind(pq::Params& params, const Server& server) const override;
  void replied(Reply reply) override;
  void late() override;
  bool shares() const override;
  std::string_view locks() const override { return fingerprint_.view(); }

 private:
  enum class Waits { nothing, outcome, turn };
  struct Place final : WaitingCall {
    Place(Loop& loop, Reserving& whose);
    Reserving& owner;
  };
  struct Confirming final : Confirmation {
    Confirming(Loop& loop, Reserving& whose);
    Reserving& owner;
  };

  Reserving(Work& work, Channel& channel, const ReserveRequest& request, Call<ReserveResult>& call);
  static std::optional<ReserveResult> known_here(Work& work, const ReserveRequest& request);

  std::optional<ReserveResult> held_here() const;
  void ask();
  void ask_again();
  void trouble(const Reply& reply);
  void decide(Reply reply);
  void confirm(Reply reply, std::uint64_t lsn);
  void confirmed();
  void conclude(const Reply& reply);
  void reserved(const pq::Row& row);
  void completed(const pq::Row& row);
  void accepted(const pq::Row& row);
  void note_forward(std::uint64_t fence, std::uint32_t attempt, std::string& bytes) const;
  void bind_event(pq::Params& params) const;
  void wait_for_outcome(const pq::Row& row);
  void wait_for_turn();
  void wait(Waits what, SteadyClock::time_point until);
  void woken();
  void time_over();
  bool time_is_over() const;
  void doubt();
  void stop_waiting();
  void leave_queue();
  void undo();
  void finish(ReserveResult result);
  void dispose();

  Work& work_;
  Channel& channel_;
  /// Null once the call was answered. The request must not be used after that either.
  Call<ReserveResult>* call_;
  const ReserveRequest* request_;
  const Fingerprint fingerprint_;
  const Nonce nonce_;
  const std::chrono::milliseconds lease_;
  /// The entity of which it takes a turn.
  const std::optional<EntityKey> turn_of_;
  /// When the statement that may have reserved was sent for the first time.
  SteadyClock::time_point first_sent_{};
  unsigned tries_ = 0;
  /// The reply to a statement was lost: the statement may have reserved, or may still do so until
  /// doubt_ends_. Its lease is counted from doubt_began_.
  bool in_doubt_ = false;
  SteadyClock::time_point doubt_began_{};
  SteadyClock::time_point doubt_ends_{};
  bool asking_ = false;

  Place place_;
  Waits waits_ = Waits::nothing;
  /// Whether it was woken while its statement was under way.
  bool woken_ = false;
  SteadyClock::time_point outcome_until_{};
  SteadyClock::time_point turn_until_{};
  SteadyClock::time_point queued_at_{};
  /// The reservation whose outcome it waits for.
  std::optional<Nonce> waited_;
  bool ended_ = false;
  /// The entity in whose queue in the database it has a place, or may have one.
  std::optional<EntityKey> queued_;
  std::optional<WaitingRoom::Place> room_;
  std::unique_ptr<Timer> timer_;

  Confirming confirming_;
  Reply kept_;
};

}  // namespace onceproxy::store
