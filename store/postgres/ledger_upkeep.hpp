// LedgerUpkeep: the regular work of an instance for the ledger, on the loop of the store's own
// channel. It tells the database which routes this instance has, finds deliveries that other
// instances have left, releases the holds on entities, writes results that could not be written in
// time, and removes expired rows.
//
// Thread-safety: keep(), on_its_way(), give_up(), doubt() and follow() may be called from any
// thread, everything else on the channel's loop.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/postgres/channel.hpp"
#include "store/postgres/deed.hpp"
#include "store/postgres/delivery_claims.hpp"
#include "store/postgres/event_watch.hpp"
#include "store/postgres/ledger_routes.hpp"
#include "store/postgres/liveness.hpp"
#include "store/postgres/one_query.hpp"
#include "store/postgres/work.hpp"

namespace onceproxy::store {

class LedgerUpkeep {
 public:
  using SteadyClock = BootClock;

  LedgerUpkeep(const Work& work, Channel& house, DeliveryClaims& claims, LedgerRoutes& routes,
               EventWatch& watch, Liveness& liveness)
      : work_(work),
        house_(house),
        claims_(claims),
        routes_(routes),
        watch_(watch),
        liveness_(liveness) {}

  /// Keeps a result that could not be written in time, and writes it later. False: too many are
  /// kept. The result is dropped, and its delivery is attempted again.
  bool keep(std::unique_ptr<Deed> end);
  /// The attempt does not hold its entity any more. The database is told at the next tick, unless
  /// the attempt has ended by then.
  void on_its_way(const DeliveryKey& key, const Nonce& nonce);
  /// The attempt was dropped: its delivery can be claimed again.
  void give_up(const DeliveryKey& key, const Nonce& nonce);
  /// It is not known whether the delivery was claimed, or its attempt ended, with this nonce, and
  /// nobody here goes on with it. If it was claimed, it is given up as soon as that statement can
  /// have no effect any more. Too many of these are forgotten, the oldest first.
  void doubt(const DeliveryKey& key, const Nonce& nonce);
  void follow(LedgerRoutes::Routes routes);
  /// How long nobody must have had a route for its deliveries to end as removed. From any thread.
  std::chrono::milliseconds orphaned_after() const;

  void tick(SteadyClock::time_point now);
  /// To be called about once a second, while the database answers.
  void beat();
  /// The sign of life that was sent at `sent` was written.
  void alive(SteadyClock::time_point sent) { liveness_.alive(sent); }
  /// Drops the results that are kept, and accepts no more.
  void close();
  std::size_t kept() const;
  /// Sends the results that are kept again.
  void retry();

 private:
  using Left = std::pair<DeliveryKey, Nonce>;
  struct Doubt {
    Left claim;
    /// When to give it up.
    SteadyClock::time_point from{};
  };

  void settle_doubts(SteadyClock::time_point now);
  void leave(const Left& left, bool whole);
  void tend();
  void tend_part(int looks, int events, OneQuery::Done done);
  static bool says_more(const Reply& reply);
  void tended(const Reply& reply, int& size, int size_max);
  void tell_failed(const Reply& reply, std::string_view what);
  void find_left_over();
  void tell(const std::vector<std::string>& left_over);

  const Work& work_;
  Channel& house_;
  DeliveryClaims& claims_;
  LedgerRoutes& routes_;
  EventWatch& watch_;
  Liveness& liveness_;
  SteadyClock::time_point next_retry_{};
  bool tending_ = false;
  /// How much one statement is asked to deal with; 0: not asked yet.
  int looks_ = 0;
  int purged_ = 0;
  bool finding_ = false;
  bool following_ = false;
  /// The time before which a listener is not reported again, and the current pause between two
  /// reports.
  struct Told {
    SteadyClock::time_point next{};
    std::chrono::milliseconds pause{0};
  };
  std::map<std::string, Told> told_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Deed>> kept_;
  std::vector<Left> on_its_way_;
  /// In the order of their times.
  std::deque<Doubt> doubts_;
  bool closed_ = false;
};

/// Wakes a waiting call if the answer to a change of a delivery says that one waits for the turn of
/// its entity.
void wake_turn(const Work& work, Channel& house, const pq::Row& row, int o_queued, int o_entity);

/// The parameters of follow_routes() and left_over().
void add_routes(pq::Params& params, const LedgerRoutes::Routes& routes);

}  // namespace onceproxy::store
