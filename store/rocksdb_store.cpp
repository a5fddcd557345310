#include "store/rocksdb_store.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "store/committer.hpp"
#include "store/meta.hpp"
#include "store/nonce.hpp"
#include "store/record_reader.hpp"

namespace onceproxy::store {
namespace {

/// The verbs: they look, decide and encode on the caller's thread; the committer writes.
class OpenStore final : public RocksDbStore {
 public:
  OpenStore(RocksDbOptions options, Tuning tuning, const Clock& clock, RocksDbObserver observer)
      : options_(std::move(options)),
        tuning_(std::move(tuning)),
        clock_(clock),
        observer_(std::move(observer)),
        database_(options_, tuning_, clock_, observer_),
        records_(database_, observer_),
        reservations_(options_.pending_max),
        space_(options_, tuning_, database_, observer_) {
    database_.open();
    fences_.start_above(meta::prepare(database_, options_.path));
    space_.measure();
    committer_.emplace(Committer::Parts{database_, reservations_, fences_, space_, *this, options_,
                                        tuning_, clock_, observer_});
  }
  ~OpenStore() override { OpenStore::close(); }

  bool reserve(const ReserveRequest& request, Call<ReserveResult>& call) override;
  bool complete(Permit permit, StoredAnswer answer, Call<Settled>& call) override;
  bool release(Permit permit, Call<Settled>& call) override;
  bool mark_unknown(Permit permit, std::string_view error, Call<Settled>& call) override;
  void submit() override { committer_->submit(); }
  void dropped(const Permit& permit) noexcept override;
  RocksDbStats stats() const override;
  void close() override;

 private:
  std::optional<ReserveResult> look_without_claim(const ReserveRequest& request, WallTime now,
                                                  bool at_limit);
  bool start(const ReserveRequest& request, Free free, WallTime now, Call<ReserveResult>& call);
  bool settle(std::unique_ptr<Operation> operation, Call<Settled>& call);
  std::optional<Reservations::Holding> use(Permit& permit, Call<Settled>& call);

  const RocksDbOptions options_;
  const Tuning tuning_;
  const Clock& clock_;
  const RocksDbObserver observer_;
  Database database_;
  const RecordReader records_;
  Reservations reservations_;
  Fences fences_;
  Space space_;
  std::atomic<bool> closing_{false};
  std::mutex close_mutex_;
  std::optional<Committer> committer_;
};

template <typename Result, typename Value>
bool answer_now(Call<Result>& call, Value&& value) {
  call.result.emplace(std::forward<Value>(value));
  return true;
}

/// For a caller that got no claim since another is still looking, or since there is no room: it
/// may be told what the disk says, but gets nothing itself. Nothing where it should try again.
std::optional<ReserveResult> OpenStore::look_without_claim(const ReserveRequest& request,
                                                           WallTime now, bool at_limit) {
  Looked looked = records_.look(request, now);
  if (auto* const completed = std::get_if<Completed>(&looked)) return std::move(*completed);
  const auto glance = reservations_.glance(request.fingerprint, request.payload);
  if (!glance.present && !at_limit) return std::nullopt;
  if (glance.present && !glance.looking) {
    if (glance.differs) return Mismatch{};
    return InFlight{};
  }
  if (std::holds_alternative<Free>(looked)) {
    if (!glance.present) return Unavailable{Unavailable::Reason::pending};
    if (glance.differs) return Mismatch{};
    return InFlight{};
  }
  if (std::holds_alternative<Mismatch>(looked)) return Mismatch{};
  if (const auto* const held = std::get_if<Held>(&looked)) return *held;
  return std::get<Unavailable>(looked);
}

bool OpenStore::reserve(const ReserveRequest& request, Call<ReserveResult>& call) {
  for (;;) {
    if (closing_.load(std::memory_order_acquire)) {
      return answer_now(call, Unavailable{Unavailable::Reason::closing});
    }
    if (committer_->failing()) return answer_now(call, Unavailable{Unavailable::Reason::failed});
    const WallTime now = clock_.now();
    const auto claim = reservations_.claim(request.fingerprint, request.payload);
    switch (claim) {
      case Reservations::Claim::mismatch:
        return answer_now(call, Mismatch{});
      case Reservations::Claim::in_flight:
        return answer_now(call, InFlight{});
      case Reservations::Claim::looking:
      case Reservations::Claim::full: {
        auto result = look_without_claim(request, now, claim == Reservations::Claim::full);
        if (result) return answer_now(call, std::move(*result));
        continue;  // whoever looked has gone: the claim may be ours now
      }
      case Reservations::Claim::mine:
        break;
    }
    Looked looked = records_.look(request, now);
    if (auto* const free = std::get_if<Free>(&looked)) {
      return start(request, std::move(*free), now, call);
    }
    reservations_.unclaim(request.fingerprint);
    if (auto* const completed = std::get_if<Completed>(&looked)) {
      return answer_now(call, std::move(*completed));
    }
    if (std::holds_alternative<Mismatch>(looked)) return answer_now(call, Mismatch{});
    if (const auto* const held = std::get_if<Held>(&looked)) return answer_now(call, *held);
    return answer_now(call, std::get<Unavailable>(looked));
  }
}

/// The claim is the caller's and the fingerprint is free: sends the reservation to the disk.
bool OpenStore::start(const ReserveRequest& request, Free free, WallTime now,
                      Call<ReserveResult>& call) {
  if (!free.previous && space_.full()) {
    reservations_.unclaim(request.fingerprint);
    return answer_now(call, Unavailable{Unavailable::Reason::full});
  }
  Record record;
  record.payload = request.payload;
  record.nonce = random_nonce();
  record.fence = fences_.take();
  record.created = now;
  record.policy = request.policy.substr(0, policy_bytes_max);
  record.request_id = request.request_id.substr(0, request_id_bytes_max);
  start_lease(record, request.terms, now);
  auto operation = std::make_unique<Operation>();
  if (free.previous) {
    record.attempt = free.previous->attempt + 1;
    record.created = free.previous->created;
    // A caller that knows no payload must not make the next one's go unnoticed.
    if (!record.payload) record.payload = free.previous->payload;
    operation->previous = encode(*free.previous);
  }
  operation->kind = Operation::Kind::reserve;
  operation->fingerprint = request.fingerprint;
  operation->nonce = record.nonce;
  operation->fence = record.fence;
  operation->attempt = record.attempt;
  operation->record = encode(record);
  operation->reserve_call = &call;
  reservations_.reserving(request.fingerprint, std::move(record), request.terms);
  if (committer_->push(std::move(operation), call.loop.submits()) == nullptr) return false;
  reservations_.unclaim(request.fingerprint);
  return answer_now(call, Unavailable{Unavailable::Reason::closing});
}

/// Uses up the permit; answers the call where it holds nothing, or the store is closing.
std::optional<Reservations::Holding> OpenStore::use(Permit& permit, Call<Settled>& call) {
  permit.use();
  if (closing_.load(std::memory_order_acquire)) {
    call.result = Settled::failed;
    return std::nullopt;
  }
  auto holding = reservations_.settling(permit.fingerprint(), permit.nonce());
  if (!holding) call.result = Settled::refused;
  return holding;
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

std::unique_ptr<Operation> settlement(Operation::Kind kind, const Permit& permit) {
  auto operation = std::make_unique<Operation>();
  operation->kind = kind;
  operation->fingerprint = permit.fingerprint();
  operation->nonce = permit.nonce();
  return operation;
}

bool OpenStore::complete(Permit permit, StoredAnswer answer, Call<Settled>& call) {
  auto holding = use(permit, call);
  if (!holding) return true;
  auto& [record, terms] = *holding;
  const WallTime now = clock_.now();
  record.state = Record::State::completed;
  record.settled = now;
  record.expires = now + terms.window;
  record.answer = std::move(answer);
  if (!record.answer.replayable) record.answer.head = record.answer.body = {};
  record.answer_apart =
      record.answer.head.size() + record.answer.body.size() >= answer_apart_bytes_min;
  auto operation = settlement(Operation::Kind::complete, permit);
  if (record.answer_apart) {
    operation->also.push_back(
        {Family::answers, answer_key(permit.fingerprint(), record), encode_answer(record.answer)});
  }
  operation->record = encode(record);
  return settle(std::move(operation), call);
}

bool OpenStore::release(Permit permit, Call<Settled>& call) {
  if (!use(permit, call)) return true;
  return settle(settlement(Operation::Kind::release, permit), call);
}

bool OpenStore::mark_unknown(Permit permit, std::string_view error, Call<Settled>& call) {
  auto holding = use(permit, call);
  if (!holding) return true;
  auto& [record, terms] = *holding;
  const WallTime now = clock_.now();
  record.state = Record::State::unknown;
  record.settled = now;
  record.lease_ends = now + terms.lease;
  record.expires = now + std::max(terms.window, terms.lease);
  record.error = error.substr(0, error_bytes_max);
  auto operation = settlement(Operation::Kind::mark_unknown, permit);
  operation->record = encode(record);
  return settle(std::move(operation), call);
}

void OpenStore::dropped(const Permit& permit) noexcept {
  reservations_.drop(permit.fingerprint(), permit.nonce());
  if (observer_.permit_dropped) observer_.permit_dropped();
}

RocksDbStats OpenStore::stats() const {
  return {space_.bytes(), committer_->records_estimate(), reservations_.size(),
          !committer_->failing() && !closing_.load(std::memory_order_relaxed)};
}

void OpenStore::close() {
  const std::lock_guard lock(close_mutex_);
  closing_.store(true, std::memory_order_release);
  if (committer_) committer_->finish();
  space_.stop_reclaiming();
  database_.close();
}

}  // namespace

std::unique_ptr<RocksDbStore> open_tuned(const RocksDbOptions& options, const Tuning& tuning,
                                         const Clock& clock, RocksDbObserver observer) {
  return std::make_unique<OpenStore>(options, tuning, clock, std::move(observer));
}

std::unique_ptr<RocksDbStore> RocksDbStore::open(const RocksDbOptions& options, const Clock& clock,
                                                 RocksDbObserver observer) {
  return open_tuned(options, Tuning{}, clock, std::move(observer));
}

}  // namespace onceproxy::store
