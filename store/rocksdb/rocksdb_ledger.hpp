// RocksDbLedger: the Ledger of the embedded store. A verb claims its delivery, decides on its
// caller's thread, and hands the change to the committer, which releases the claim once it is on
// disk.
//
// Thread-safety: as ledger.hpp says.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "store/ledger_limits.hpp"
#include "store/rocksdb/committer.hpp"
#include "store/rocksdb/ledger_claims.hpp"
#include "store/rocksdb/ledger_reader.hpp"

namespace onceproxy::store {

class RocksDbLedger final : public Ledger, private AttemptOwner {
 public:
  /// What it works on; all of it outlives the ledger.
  struct Parts {
    const Database& database;
    Entities& entities;
    LedgerCounts& counts;
    LedgerClaims& claims;
    Committer& committer;
    LedgerLimits& limits;
    const Tuning& tuning;
    const Clock& clock;
    const RocksDbObserver& observer;
    const std::atomic<bool>& closing;
  };
  explicit RocksDbLedger(const Parts& parts)
      : parts_(parts), reader_(parts.database, parts.counts, parts.tuning.scan_max) {}

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
  void limit(const LedgerOptions& options) override { parts_.limits.set(options); }
  void watch(LedgerWatch* watch) override { parts_.claims.watch(watch); }

 private:
  struct BeginWaiter;

  bool stopped() const;
  /// `early`: whatever its due time.
  bool claim(const DeliveryKey& key, bool early, Call<BeginResult>& call);
  void sent(Attempt& attempt) noexcept override;
  void dropped(Attempt& attempt) noexcept override;
  void end_hold(const EntityKey& key, bool held) noexcept;
  bool refuse(const DeliveryKey& key, Call<BeginResult>& call, Unavailable::Reason why);
  bool hold(const DeliveryKey& key, const PendingRow& row, Call<BeginResult>& call);
  void held(std::unique_ptr<BeginWaiter> waiter);
  bool cancel(const DeliveryKey& key, Call<BeginResult>& call);
  template <typename Result>
  bool give_back(const DeliveryKey& key, Call<Result>& call, Result result);
  Redriven may_be_redriven(const EventRow& row) const;
  /// False where the committer has ended.
  bool push(std::unique_ptr<LedgerChange> change, Loop& loop);

  const Parts parts_;
  const LedgerReader reader_;
};

}  // namespace onceproxy::store
