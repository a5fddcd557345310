#include "store/rocksdb/committer.hpp"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "store/rocksdb/meta.hpp"

namespace onceproxy::store {

using SteadyClock = std::chrono::steady_clock;

namespace {

/// The completed record with its answer, for those who waited for an operation that was ended.
std::shared_ptr<const Record> outcome_of(const Operation& operation) {
  auto record = operation.record ? decode(*operation.record) : std::nullopt;
  if (!record) return nullptr;
  for (const Write& more : operation.also) {
    if (more.family != Family::answers || !more.value) continue;
    if (!decode_answer(*more.value, record->answer)) return nullptr;
  }
  record->answer_apart = false;
  return std::make_shared<const Record>(*std::move(record));
}

}  // namespace

Committer::Committer(const Parts& parts)
    : parts_(parts),
      retained_(parts.tuning.retained_max, parts.tuning.retained_bytes_max),
      records_estimate_(parts.database.records_estimate()),
      next_upkeep_(SteadyClock::now() + parts.tuning.tick),
      thread_([this] { run(); }) {}

Committer::~Committer() {
  finish();
}

void Committer::finish() {
  finishing_.store(true, std::memory_order_release);
  queue_.wake();
  if (thread_.joinable()) thread_.join();
}

bool Committer::pause(const std::function<void()>& task) {
  const std::lock_guard lock(writing_);
  if (failing() || finishing_.load(std::memory_order_acquire)) return false;
  task();
  return true;
}

void Committer::run() {
  pthread_setname_np(pthread_self(), "store-commit");
  for (;;) {
    if (failing()) {
      recover();
    } else {
      work();
    }
    if (!finishing_.load(std::memory_order_acquire)) continue;
    const std::lock_guard lock(writing_);
    if (failing()) end_while_failing();
    while (!failing() && write_duplicates()) continue;
    if (!failing()) write_notes();
    if (!failing()) write_time(std::chrono::milliseconds(0));
    if (!put_back_ && queue_.seal()) return;
  }
}

void Committer::work() {
  if (SteadyClock::now() >= next_upkeep_) {
    const std::lock_guard lock(writing_);
    upkeep();
    next_upkeep_ = SteadyClock::now() + parts_.tuning.tick;
    if (failing()) return;
  }
  // Who pushed last may be gone without a nudge.
  const bool at_once = finishing_.load(std::memory_order_acquire) || looks_waited();
  queue_.wait(at_once ? SteadyClock::now() : next_upkeep_);
  const std::lock_guard lock(writing_);
  if (put_back_) {
    OperationList pending = *std::move(put_back_);
    put_back_.reset();
    commit_all(std::move(pending));
  }
  commit_all(queue_.take());
  look_at_events();
}

void Committer::commit_all(OperationList pending) {
  while (!pending.empty()) {
    OperationList group = pending.cut(parts_.tuning.group_max, parts_.tuning.group_bytes_max);
    if (failing()) {
      fail(std::move(group), false);
    } else {
      commit(std::move(group));
    }
  }
}

/// The work for events waits a while for a group, because a separate batch costs more.
bool Committer::looks_waited() {
  if (!parts_.ledger.looks_due()) {
    looks_due_since_.reset();
    return false;
  }
  const Time now = SteadyClock::now();
  if (!looks_due_since_) looks_due_since_ = now;
  return now - *looks_due_since_ >= parts_.tuning.looks_wait;
}

void Committer::look_at_events() {
  if (failing() || !looks_waited()) return;
  OperationList nothing(nullptr);
  std::size_t operations = 0;
  const rocksdb::Status status = write(nothing, operations, true);
  if (!status.ok()) start_failing("ledger", status);
}

void Committer::commit(OperationList group) {
  const auto begin = SteadyClock::now();
  std::size_t operations = 0;
  const rocksdb::Status status = write(group, operations, true);
  written(std::move(group), status, operations, begin);
}

void Committer::written(OperationList group, const rocksdb::Status& status, std::size_t operations,
                        Time begin) {
  if (!status.ok()) {
    start_failing("write", status);
    fail(std::move(group), true);
    return;
  }
  if (parts_.observer.committed) {
    parts_.observer.committed(SteadyClock::now() - begin, operations);
  }
  succeed(std::move(group));
}

/// The reservation that the operation settled is over.
void Committer::end(const Operation& operation) {
  if (operation.kind == Operation::Kind::ledger) {
    if (!operation.ledger->key.listener.empty()) parts_.claims.release(operation.ledger->key);
    return;
  }
  const bool completed =
      operation.kind == Operation::Kind::complete || operation.kind == Operation::Kind::accept;
  parts_.handover.end(operation.fingerprint, completed, delivery_,
                      [&operation] { return outcome_of(operation); });
}

void Committer::succeed(OperationList group) {
  // Before the callers are answered, so that what was answered is in the log even if the process is
  // killed.
  for (const Operation* at = group.front(); at != nullptr; at = at->next) note(*at);
  write_down();
  while (const auto operation = group.pop_front()) {
    const bool was_unknown = operation->previous.has_value();
    if (was_unknown || operation->kind == Operation::Kind::mark_unknown) {
      parts_.census.look_again(operation->fingerprint);
    }
    for (const Fingerprint& ended : operation->ends) parts_.census.look_again(ended);
    if (operation->kind == Operation::Kind::reserve) {
      parts_.reservations.held(operation->fingerprint);
      operation->reserve_call->result.emplace(Reserved{
          Permit(parts_.permit_owner, operation->fingerprint, operation->nonce, operation->fence),
          operation->attempt});
      delivery_.add(*operation->reserve_call);
    } else if (operation->kind == Operation::Kind::accept) {
      const LedgerChange& change = *operation->ledger;
      parts_.claims.stored(change.event, change.row.listeners);
      end(*operation);
      operation->reserve_call->result.emplace(Accepted{change.key.event});
      delivery_.add(*operation->reserve_call);
    } else if (operation->kind == Operation::Kind::ledger) {
      end(*operation);
      answer(*operation->ledger, true);
    } else {
      if (operation->kind != Operation::Kind::entity) end(*operation);
      operation->settle_call->result = Settled::done;
      delivery_.add(*operation->settle_call);
    }
  }
  delivery_.send();
}

/// What became of a change in the ledger.
void Committer::answer(LedgerChange& change, bool done) {
  if (change.settled != nullptr) {
    const Settled settled = change.refused ? Settled::refused : Settled::done;
    change.settled->result = done ? settled : Settled::failed;
    delivery_.add(*std::exchange(change.settled, nullptr));
  }
  if (change.begun != nullptr) {
    if (done) {
      change.begun->result.emplace(Cancelled{});
    } else {
      change.begun->result.emplace(Unavailable{Unavailable::Reason::failed});
    }
    delivery_.add(*std::exchange(change.begun, nullptr));
  }
  if (change.redriven != nullptr) {
    const Redriven outcome = change.refused ? Redriven::absent : Redriven::done;
    // After the write: a reader that began before it has not seen the row.
    if (done && !change.refused) parts_.ledger.pending_again(change.key);
    // After a failed write the row may be on disk nevertheless.
    if (!done || !change.refused) parts_.claims.redriven(change.key);
    change.redriven->result = done ? outcome : Redriven::failed;
    delivery_.add(*std::exchange(change.redriven, nullptr));
  }
  if (change.changed != nullptr) {
    const Changed outcome = change.refused ? Changed::absent : Changed::done;
    // It may have ended, and later events of its entity may have waited for it.
    if (!done) parts_.claims.redriven(change.key);
    change.changed->result = done ? outcome : Changed::failed;
    delivery_.add(*std::exchange(change.changed, nullptr));
  }
}

void Committer::note(const Operation& operation) {
  if (operation.audit.empty()) return;
  audit_ += operation.audit;
  ++audit_count_;
}

void Committer::write_down() {
  if (audit_count_ == 0) return;
  parts_.audit->write(audit_, audit_count_);
  audit_.clear();
  audit_count_ = 0;
}

/// Nothing of it is on disk, or that is unknown.
void Committer::forget(const Operation& operation) {
  if (operation.kind == Operation::Kind::ledger) return end(operation);
  parts_.handover.end(operation.fingerprint, false);
}

void Committer::fail(OperationList group, bool maybe_on_disk) {
  while (auto operation = group.pop_front()) {
    if (operation->kind == Operation::Kind::ledger) {
      LedgerChange& change = *operation->ledger;
      // Only how an attempt ended is known here alone; whatever else is asked for again.
      const bool kept =
          change.kind == LedgerChange::Kind::deliver && (change.settled || change.begun);
      answer(change, false);
      if (kept) {
        retain(std::move(operation));
      } else {
        end(*operation);
      }
    } else if (operation->kind == Operation::Kind::reserve ||
               operation->kind == Operation::Kind::accept) {
      if (operation->kind == Operation::Kind::accept) undo_entity(*operation);
      Call<ReserveResult>& call = *std::exchange(operation->reserve_call, nullptr);
      if (operation->resources != nullptr && operation->resources->rate) {
        parts_.rates.give_back(operation->resources->rate->key, operation->resources->rate->token);
      }
      if (maybe_on_disk) {
        retained_.doubt(std::move(operation));
      } else {
        forget(*operation);
      }
      call.result = Unavailable{Unavailable::Reason::failed};
      delivery_.add(call);
    } else {
      Call<Settled>& call = *std::exchange(operation->settle_call, nullptr);
      // An operator sees the failure and can retry; an outcome is known here only.
      if (operation->kind != Operation::Kind::entity) retain(std::move(operation));
      call.result = Settled::failed;
      delivery_.add(call);
    }
  }
  delivery_.send();
}

std::unique_ptr<Operation> Committer::retain(std::unique_ptr<Operation> operation) {
  switch (retained_.keep(operation)) {
    case Retained::KeepResult::yes:
      return nullptr;
    case Retained::KeepResult::inactive:
      return operation;
    case Retained::KeepResult::no_room:
      break;
  }
  forget(*operation);
  if (parts_.observer.failed) {
    parts_.observer.failed("retain", "too many outcomes wait for the database; one is lost");
  }
  return nullptr;
}

}  // namespace onceproxy::store
