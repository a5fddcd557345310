// PostgresLedger: the Ledger that several instances share. Each claim, end and change of a delivery
// is one statement (sql/2_deliver.sql) that decides on rows which it has locked. So only one
// instance at a time has a delivery, and the events of an entity stay in order across all
// instances.
//
// Thread-safety: as described in ledger.hpp. Functions that read wait for the database on the
// caller's thread, which must not be that of the store's own loop.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "store/postgres/channels.hpp"
#include "store/postgres/ledger_upkeep.hpp"

namespace onceproxy::store {

class PostgresLedger final : public Ledger, private AttemptOwner {
 public:
  /// The parts that it uses. All of them outlive the ledger.
  struct Parts {
    const Work& work;
    Channel& house;
    Channels& channels;
    DeliveryClaims& claims;
    LedgerRoutes& routes;
    EventWatch& watch;
    Liveness& liveness;
    LedgerUpkeep& upkeep;
  };
  explicit PostgresLedger(const Parts& parts) : parts_(parts) {}

  std::variant<PendingPage, Unreadable> pending(std::string_view listener, EventNumber after,
                                                std::size_t limit) override;
  std::vector<std::string> listeners_with_pending() const override;
  std::variant<std::shared_ptr<const Event>, Unreadable> event(EventNumber number) override;
  bool begin(const DeliveryKey& key, Call<BeginResult>& call) override {
    return claim(key, true, call);
  }
  bool begin_due(const DeliveryKey& key, Call<BeginResult>& call) override {
    return claim(key, false, call);
  }
  bool shared() const override { return true; }
  void follow(std::vector<DeliveryRoute> routes) override {
    parts_.upkeep.follow(std::move(routes));
  }
  bool end(Attempt attempt, const AttemptEnd& how, Call<Settled>& call) override;
  bool acknowledge(EventNumber event, StoredAnswer answer, Call<Settled>& call) override;
  bool redrive(const DeliveryKey& key, Call<Redriven>& call) override;
  bool drop(const DeliveryKey& key, std::string_view why, Call<Changed>& call) override;
  std::variant<std::vector<EventView>, Unreadable> events(const Fingerprint& fingerprint,
                                                          std::size_t limit) override;
  std::variant<DeliveryPage, Unreadable> deliveries(const DeliveryFilter& filter,
                                                    const std::optional<DeliveryKey>& after,
                                                    std::size_t limit) override;
  LedgerFigures figures() const override;
  void limit(const LedgerOptions& options) override { parts_.work.ledger_limits.set(options); }
  void watch(LedgerWatch* watch) override { parts_.watch.watch(watch); }

 private:
  using SteadyClock = BootClock;

  void sent(Attempt& attempt) noexcept override;
  void dropped(Attempt& attempt) noexcept override;
  bool lapsed(const Attempt& attempt) const noexcept override;
  bool closing() const { return parts_.work.closing.load(std::memory_order_acquire); }
  bool claim(const DeliveryKey& key, bool early, Call<BeginResult>& call);
  BeginResult begun(const DeliveryKey& key, bool early, const pq::Row& row,
                    SteadyClock::time_point sent);
  void start(Loop& loop, Statement statement, Deed::Task task);
  void count(const std::string& listener, DeliveryState state, bool attempted);
  Reply page_of(const DeliveryFilter& filter, const DeliveryKey& after, std::size_t limit) const;
  void read_figures(LedgerFigures& out) const;

  const Parts parts_;
  mutable std::mutex counts_mutex_;
  /// The numbers of deliveries that ended in this process, by listener.
  std::map<std::string, ListenerFigures, std::less<>> ends_;
  mutable std::mutex figures_mutex_;
  mutable LedgerFigures figures_;
  mutable SteadyClock::time_point figures_until_{};
};

}  // namespace onceproxy::store
