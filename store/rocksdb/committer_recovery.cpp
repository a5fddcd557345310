// The committer after a failure: stop promising, reopen, read back, write what was retained.
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <string>
#include <utility>

#include "store/rocksdb/committer.hpp"

namespace onceproxy::store {

using SteadyClock = std::chrono::steady_clock;

void Committer::start_failing(std::string_view operation, const rocksdb::Status& status) {
  kept_time_.reset();  // it is unknown whether it is on disk
  reopen_pause_ = parts_.tuning.reopen_first;
  next_attempt_ = SteadyClock::now();
  // After these: the committer's thread may recover from here on, and looks at them.
  retained_.start();
  failed(operation, status.ToString());
}

void Committer::failed(std::string_view operation, std::string_view detail) {
  {
    const std::lock_guard lock(failure_mutex_);
    failure_ = detail;
  }
  if (parts_.observer.failed) parts_.observer.failed(operation, detail);
}

std::string Committer::failure() const {
  const std::lock_guard lock(failure_mutex_);
  return failing() ? failure_ : std::string();
}

void Committer::recover() {
  queue_.wait(next_attempt_);
  const std::lock_guard lock(writing_);
  if (put_back_) fail(*std::move(put_back_), false);
  put_back_.reset();
  fail(queue_.take(), false);
  if (SteadyClock::now() < next_attempt_) return;
  if (try_recover()) return;
  next_attempt_ = SteadyClock::now() + reopen_pause_;
  reopen_pause_ = std::min(reopen_pause_ * 2, parts_.tuning.reopen_last);
}

bool Committer::try_recover() {
  parts_.space.stop_reclaiming();
  if (const auto status = parts_.database.reopen(); !status.ok()) {
    failed("open", status.ToString());
    return false;
  }
  if (const auto status = parts_.ledger.load(); !status.ok()) {
    failed("open", status.ToString());
    return false;
  }
  std::size_t written = 0;
  // Callers continue to add outcomes until finish() finds none: then the failure is over.
  do {
    std::vector<std::unique_ptr<Operation>> operations = retained_.take();
    rocksdb::WriteBatch batch;
    bool good = true;
    for (const auto& operation : operations) read_back(*operation, batch, good);
    parts_.ledger.finish(batch);
    const std::size_t changes = batch.Count();
    if (good && changes > 0) {
      keep_time(batch);
      const auto status = parts_.database.write(batch, true);
      good = status.ok();
      if (!good) parts_.ledger.failed();
      if (!good) kept_time_.reset();
      if (!good) failed("write", status.ToString());
    }
    forget_ended();
    if (!good) {
      retained_.give_back(std::move(operations));
      delivery_.send();
      return false;
    }
    written += changes;
    for (const auto& operation : operations) {
      // A reservation in doubt was reported to no caller.
      const bool in_doubt =
          operation->kind == Operation::Kind::reserve || operation->kind == Operation::Kind::accept;
      if (!in_doubt) note(*operation);
    }
    write_down();
    for (const auto& operation : operations) {
      // Nothing was stored: what waits for it tries by itself.
      if (operation->kind == Operation::Kind::accept) {
        forget(*operation);
      } else {
        end(*operation);
      }
    }
  } while (!retained_.finish());
  // Only now: callers that continued earlier would still find the database failed.
  delivery_.send();
  if (parts_.observer.event) {
    parts_.observer.event("reopened: " + std::to_string(written) + " retained changes written");
  }
  return true;
}

/// Puts into `batch` what brings the disk to where it should be. Only a record that still carries
/// the operation's nonce is touched: any other has been decided since.
void Committer::read_back(Operation& operation, rocksdb::WriteBatch& batch, bool& good) {
  if (operation.kind == Operation::Kind::ledger) {
    if (parts_.ledger.is_missing(*operation.ledger)) add(batch, operation);
    return;
  }
  if (operation.kind == Operation::Kind::accept) {
    parts_.ledger.add_undone(batch, *operation.ledger);
  }
  // In any case: the reservations' writes may have carried what has been taken back since.
  add_ties(batch, operation);
  std::optional<Record> record;
  {
    Database::Found found;
    parts_.database.get(Family::records, operation.fingerprint.view(), found);
    if (found.failed()) {
      good = false;
      failed("read", found.error());
      return;
    }
    if (found.present()) record = decode(found.value());
  }
  if (!record || record->nonce != operation.nonce) return;
  const std::string_view key = operation.fingerprint.view();
  if (operation.kind == Operation::Kind::reserve || operation.kind == Operation::Kind::accept) {
    // Its caller was answered that nothing was reserved, and forwarded nothing.
    parts_.database.add(batch, Family::records, key, operation.previous);
    return;
  }
  add_outcome(batch, operation);
}

/// The store is being closed: one more attempt, then what is left is given up.
void Committer::end_while_failing() {
  if (try_recover()) return;
  const auto lost = retained_.take();
  if (!lost.empty() && parts_.observer.failed) {
    parts_.observer.failed(
        "close",
        std::to_string(lost.size()) + " outcomes were not written; they are left to their leases");
  }
}

}  // namespace onceproxy::store
