#include "store/rocksdb/rocksdb_store.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "store/lease.hpp"
#include "store/rocksdb/census.hpp"
#include "store/rocksdb/kept_notes.hpp"
#include "store/rocksdb/meta.hpp"
#include "store/rocksdb/reserver.hpp"
#include "store/rocksdb/rocksdb_inspection.hpp"
#include "store/rocksdb/rocksdb_ledger.hpp"

namespace onceproxy::store {
namespace {

/// The verbs: they decide and encode on the caller's thread; the committer writes.
class OpenStore final : public RocksDbStore {
 public:
  OpenStore(RocksDbOptions options, Tuning tuning, Clock& clock, RocksDbObserver observer)
      : options_(std::move(options)),
        tuning_(std::move(tuning)),
        clock_(clock),
        observer_(std::move(observer)),
        database_(options_, tuning_, clock_, observer_),
        completed_(tuning_.completed_cache_bytes),
        records_(database_, completed_, observer_, era_),
        reservations_(options_.pending_max),
        entities_(database_, observer_, era_, tuning_.entity_queue_max),
        rates_(database_, observer_),
        handover_(reservations_, entities_, rates_),
        space_(options_, tuning_, database_, clock_, observer_),
        duplicates_(tuning_.duplicates_max),
        ledger_limits_(options_.ledger),
        ledger_writer_(database_, ledger_counts_, ledger_limits_, clock_, observer_) {
    database_.open();
    era_.fences_before = meta::prepare(database_, options_.path);
    fences_.start_above(era_.fences_before);
    start_clock();
    const auto digests =
        meta::keep_digests(database_, options_.path, era_.fences_before, era_.begun);
    era_.earlier_digests_fence = digests.earlier_fence;
    if (digests.earlier_fence != 0) digests_since_ = digests.since;
    read_notes(database_, notes_);
    if (const auto status = ledger_writer_.load(); !status.ok()) {
      throw std::runtime_error("store " + options_.path.string() +
                               ": the ledger of events cannot be read (" + status.ToString() +
                               "); restore the directory from a copy");
    }
    space_.measure();
    if (options_.audit.enabled) {
      // After the database: that is what tells two processes on one directory apart.
      audit_.emplace(options_.path / "audit", options_.audit, clock_,
                     [this](std::string_view detail) {
                       if (observer_.failed) observer_.failed("audit", detail);
                     });
    }
    census_.emplace(Census::Parts{database_, reservations_, clock_, era_, tuning_});
    committer_.emplace(Committer::Parts{
        database_,   reservations_, entities_, rates_, handover_,      fences_,        space_,
        duplicates_, completed_,    *census_,  notes_, ledger_writer_, ledger_claims_, *this,
        options_,    tuning_,       clock_,    era_,   observer_,      audit()});
    reserver_.emplace(Reserver::Parts{records_, reservations_, entities_, rates_, handover_,
                                      fences_, duplicates_, space_, ledger_counts_, ledger_limits_,
                                      *committer_, tuning_, clock_, closing_});
    ledger_.emplace(RocksDbLedger::Parts{database_, entities_, ledger_counts_, ledger_claims_,
                                         *committer_, ledger_limits_, tuning_, clock_, observer_,
                                         closing_});
    inspection_.emplace(RocksDbInspection::Parts{database_, reservations_, entities_, rates_,
                                                 handover_, duplicates_, *committer_, *census_,
                                                 tuning_, clock_, era_, closing_});
  }
  ~OpenStore() override { OpenStore::close(); }

  bool reserve(const ReserveRequest& request, Call<ReserveResult>& call) override;
  bool complete(Permit permit, StoredAnswer answer, std::span<const Fingerprint> ends,
                Call<Settled>& call) override;
  bool release(Permit permit, const NotDone& why, Call<Settled>& call) override;
  bool mark_unknown(Permit permit, std::string_view error, Call<Settled>& call) override;
  void submit(Loop&) override { committer_->submit(); }
  std::optional<WallTime> digests_since() const override { return digests_since_; }
  AuditLog* audit() override { return audit_ ? &*audit_ : nullptr; }
  Ledger* ledger() override { return &*ledger_; }
  Notes* notes() override { return &notes_; }
  void dropped(const Permit& permit) noexcept override;
  RocksDbStats stats() const override;
  RocksDbFigures figures() const override { return database_.figures(); }
  std::string failure() const override { return committer_->failure(); }
  Inspection& inspection() override { return *inspection_; }
  BackupContents back_up(const std::filesystem::path& directory,
                         const std::atomic<bool>& stop) override;
  void close() override;

 private:
  void snapshot(const std::filesystem::path& to);
  void start_clock();
  std::string ending(const Record& record, WallTime now, AuditEnding::How how, int status,
                     std::string_view error) const;
  bool settle(std::unique_ptr<Operation> operation, Call<Settled>& call);
  std::optional<Reservations::Settling> use(Permit& permit, Call<Settled>& call, bool done = false);

  const RocksDbOptions options_;
  const Tuning tuning_;
  Clock& clock_;
  const RocksDbObserver observer_;
  Era era_;  // fixed once the database is open
  std::optional<WallTime> digests_since_;
  Database database_;
  CompletedCache completed_;
  const RecordReader records_;
  Reservations reservations_;
  Entities entities_;
  Rates rates_;
  Handover handover_;
  Fences fences_;
  Space space_;
  Duplicates duplicates_;
  NoteTable notes_;
  LedgerCounts ledger_counts_;
  LedgerLimits ledger_limits_;
  LedgerWriter ledger_writer_;
  LedgerClaims ledger_claims_;
  std::atomic<bool> closing_{false};
  std::mutex close_mutex_;
  std::optional<AuditLog> audit_;
  std::optional<Census> census_;
  std::optional<Committer> committer_;
  std::optional<Reserver> reserver_;
  std::optional<RocksDbInspection> inspection_;
  std::optional<RocksDbLedger> ledger_;
};

template <typename Result, typename Value>
bool answer_now(Call<Result>& call, Value&& value) {
  call.result.emplace(std::forward<Value>(value));
  return true;
}

bool OpenStore::reserve(const ReserveRequest& request, Call<ReserveResult>& call) {
  return reserver_->reserve(request, call);
}

/// What comes of it is kept at once: an operator's word, or a doubt, is not to be lost.
void OpenStore::start_clock() {
  const std::string said = clock_.start(meta::kept_clock(database_, options_.path),
                                        {options_.clock_ahead_max, options_.accept_clock});
  if (!said.empty() && observer_.event) observer_.event(said);
  if (const auto memory = clock_.memory()) meta::keep_clock(database_, options_.path, *memory);
  era_.begun = clock_.now();
}

/// Uses up the permit; answers the call if it holds nothing, or the store is closing.
std::optional<Reservations::Settling> OpenStore::use(Permit& permit, Call<Settled>& call,
                                                     bool done) {
  permit.use();
  if (closing_.load(std::memory_order_acquire)) {
    call.result = Settled::failed;
    return std::nullopt;
  }
  auto settling = reservations_.settling(permit.fingerprint(), permit.nonce(), done);
  if (!settling) call.result = Settled::refused;
  return settling;
}

/// Its entry in the audit log; nothing if there is no log.
std::string OpenStore::ending(const Record& record, WallTime now, AuditEnding::How how, int status,
                              std::string_view error) const {
  std::string entry;
  if (audit_) append(entry, AuditEnding{now, record.fence, how, status, error});
  return entry;
}

bool OpenStore::settle(std::unique_ptr<Operation> operation, Call<Settled>& call) {
  if (committer_->failing()) {
    operation = committer_->retain(std::move(operation));
    if (operation == nullptr) return answer_now(call, Settled::failed);
  }
  operation->settle_call = &call;
  if (committer_->push(std::move(operation), call.loop.submits()) == nullptr) return false;
  return answer_now(call, Settled::failed);
}

std::unique_ptr<Operation> settlement(Operation::Kind kind, const Permit& permit,
                                      const Reservations::Settling& settling) {
  auto operation = std::make_unique<Operation>();
  operation->kind = kind;
  operation->fingerprint = permit.fingerprint();
  operation->nonce = permit.nonce();
  operation->resources = settling.resources;
  return operation;
}

bool OpenStore::complete(Permit permit, StoredAnswer answer, std::span<const Fingerprint> ends,
                         Call<Settled>& call) {
  auto settling = use(permit, call, true);
  if (!settling) return true;
  Record& record = settling->record;
  const Terms& terms = settling->terms;
  const WallTime now = clock_.now();
  record.state = Record::State::completed;
  record.settled = now;
  record.expires = now + terms.window;
  record.answer = std::move(answer);
  if (!record.answer.replayable) record.answer.head = record.answer.body = {};
  record.answer_apart = lies_apart(record.answer);
  auto operation = settlement(Operation::Kind::complete, permit, *settling);
  if (record.answer_apart) {
    operation->also.push_back(
        {Family::answers, answer_key(permit.fingerprint(), record), encode_answer(record.answer)});
  }
  operation->record = encode(record);
  operation->audit = ending(record, now, AuditEnding::How::completed, record.answer.status, {});
  const HeldResources* const resources = settling->resources;
  if (resources != nullptr && resources->entity)
    entities_.completed(*resources->entity, terms.window, now);
  for (const Fingerprint& ended : ends) {
    if (ended == permit.fingerprint()) continue;
    // Before it is pushed: an outcome that is written behind it must be the last word.
    reservations_.end_memory(ended);
    operation->ends.push_back(ended);
  }
  return settle(std::move(operation), call);
}

bool OpenStore::release(Permit permit, const NotDone& why, Call<Settled>& call) {
  const auto settling = use(permit, call);
  if (!settling) return true;
  const HeldResources* const resources = settling->resources;
  // An upstream that was down does not use up a limit.
  if (resources != nullptr && resources->rate)
    rates_.give_back(resources->rate->key, resources->rate->token);
  auto operation = settlement(Operation::Kind::release, permit, *settling);
  operation->audit =
      ending(settling->record, clock_.now(), AuditEnding::How::released, why.status, why.error);
  return settle(std::move(operation), call);
}

bool OpenStore::mark_unknown(Permit permit, std::string_view error, Call<Settled>& call) {
  auto settling = use(permit, call);
  if (!settling) return true;
  Record& record = settling->record;
  const Terms& terms = settling->terms;
  const WallTime now = clock_.now();
  record.state = Record::State::unknown;
  record.settled = now;
  record.lease_ends = now + terms.lease;
  record.expires = now + std::max(terms.window, terms.lease);
  record.error = error.substr(0, error_bytes_max);
  auto operation = settlement(Operation::Kind::mark_unknown, permit, *settling);
  operation->record = encode(record);
  operation->audit = ending(record, now, AuditEnding::How::unknown, 0, error);
  return settle(std::move(operation), call);
}

void OpenStore::dropped(const Permit& permit) noexcept {
  handover_.drop(permit.fingerprint(), permit.nonce());
  census_->look_again(permit.fingerprint());
  if (audit_) {
    audit_->end({clock_.now(), permit.fence(), AuditEnding::How::unknown, 0,
                 "the reservation was left to its lease"});
  }
  if (observer_.permit_dropped) observer_.permit_dropped();
}

RocksDbStats OpenStore::stats() const {
  RocksDbStats out;
  out.healthy = !committer_->failing() && !closing_.load(std::memory_order_relaxed);
  out.bytes = space_.bytes();
  out.bytes_max = options_.bytes_max;
  out.records_estimate = committer_->records_estimate();
  out.records = census_->counts();
  out.reservations_active = reservations_.size();
  out.reservations_max = options_.pending_max;
  out.calls_waiting = reserver_->waiting();
  out.calls_waiting_max = tuning_.waiting_max;
  out.waiting_bytes = reserver_->waiting_bytes();
  out.waiting_bytes_max = tuning_.waiting_bytes_max;
  out.audit_bytes = audit_ ? audit_->bytes() : 0;
  out.audit_dropped = audit_ ? audit_->dropped() : 0;
  out.clock = clock_.standing();
  out.prepared_log = database_.prepares_log();
  return out;
}

/// Runs while there are no writes, so that nothing is written between the tables of two families.
void OpenStore::snapshot(const std::filesystem::path& to) {
  if (const auto status = database_.flush(); !status.ok()) {
    throw std::runtime_error("the memtables cannot be flushed: " + status.ToString());
  }
  std::string why = "the store fails, or is closing";
  const bool ran = committer_->pause([&] {
    try {
      database_.snapshot(to);
      why.clear();
    } catch (const std::exception& error) {
      why = error.what();
    }
  });
  if (!ran || !why.empty()) throw std::runtime_error(why);
}

BackupContents OpenStore::back_up(const std::filesystem::path& directory,
                                  const std::atomic<bool>& stop) {
  return backup::make(options_.path, directory, stop, [this](const auto& to) { snapshot(to); });
}

void OpenStore::close() {
  const std::lock_guard lock(close_mutex_);
  closing_.store(true);
  handover_.stop_waiting();
  if (committer_) committer_->finish();
  if (audit_) audit_->close();
  space_.stop_reclaiming();
  if (census_) census_->stop();
  database_.close();
}

}  // namespace

std::unique_ptr<RocksDbStore> open_tuned(const RocksDbOptions& options, const Tuning& tuning,
                                         Clock& clock, RocksDbObserver observer) {
  return std::make_unique<OpenStore>(options, tuning, clock, std::move(observer));
}

std::unique_ptr<RocksDbStore> RocksDbStore::open(const RocksDbOptions& options, Clock& clock,
                                                 RocksDbObserver observer) {
  return open_tuned(options, Tuning{}, clock, std::move(observer));
}

}  // namespace onceproxy::store
