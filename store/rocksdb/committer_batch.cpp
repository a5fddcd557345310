// What one group of operations writes: the records, what they end, the entities and rate limits.
#include <algorithm>

#include "store/lease.hpp"
#include "store/rocksdb/committer.hpp"
#include "store/rocksdb/meta.hpp"

namespace onceproxy::store {
namespace {
constexpr std::size_t batch_bytes_kept = std::size_t{256} << 10;
/// Some tens of microseconds each, for which a group waits.
constexpr std::size_t event_looks_max = 32;

/// Without the claim on the record that it changes.
bool acknowledges(const Operation& operation) {
  return operation.ledger != nullptr && operation.ledger->kind == LedgerChange::Kind::acknowledge;
}
}  // namespace

/// Beside what `sync: all` asks of every write. A release lost with the power leaves a reservation
/// that ends with its lease.
bool Committer::needs_sync(const Operation& operation) const {
  const bool forwards =
      operation.kind == Operation::Kind::reserve || operation.kind == Operation::Kind::accept;
  const bool by_operator = operation.kind == Operation::Kind::entity;
  return parts_.options.sync != Sync::none && (forwards || by_operator);
}

rocksdb::Status Committer::write(OperationList& group, std::size_t& operations, bool may_wait) {
  batch_.Clear();
  bool sync = false;
  // What reads records goes before what others of the group write: theirs is the last word.
  bool acknowledged = false;
  for (Operation* at = group.front(); at != nullptr; at = at->next) {
    if (!acknowledges(*at)) continue;
    add(batch_, *at);
    acknowledged = true;
  }
  // Not both in one batch: each reads the record as it is on disk.
  if (may_wait && !acknowledged && parts_.ledger.looks_due()) {
    parts_.ledger.add_looks(batch_, event_looks_max, ended_);
  }
  std::uint64_t highest = 0;
  for (Operation* at = group.front(); at != nullptr; at = at->next) {
    ++operations;
    sync = sync || needs_sync(*at);
    highest = std::max(highest, at->fence);
    if (!acknowledges(*at)) add(batch_, *at);
  }
  parts_.ledger.finish(batch_);
  keep_time(batch_);
  const auto ceiling = parts_.fences.ceiling_for(highest);
  if (ceiling) {
    meta::add_fence_ceiling(parts_.database, batch_, *ceiling);
    sync = true;
  }
  const rocksdb::Status status = parts_.database.write(batch_, sync, may_wait);
  forget_ended();
  if (!status.ok()) parts_.ledger.failed();
  // What one large group took must not stay.
  if (batch_.GetDataSize() > batch_bytes_kept) batch_ = rocksdb::WriteBatch();
  if (status.ok() && ceiling) parts_.fences.ceiling_written(*ceiling);
  return status;
}

void Committer::add(rocksdb::WriteBatch& batch, Operation& operation) {
  if (operation.kind == Operation::Kind::ledger) {
    parts_.ledger.add(batch, *operation.ledger, ended_);
    return;
  }
  if (operation.kind == Operation::Kind::accept) add_event(batch, operation);
  if (operation.kind != Operation::Kind::entity) {
    parts_.completed.remove(operation.fingerprint);
    add_outcome(batch, operation);
  }
  add_ties(batch, operation);
}

/// With its reservation the event's operation is completed: also its entity.
void Committer::add_event(rocksdb::WriteBatch& batch, Operation& operation) {
  LedgerChange& change = *operation.ledger;
  for (const Fingerprint& ended : operation.ends) parts_.reservations.end_memory(ended);
  if (operation.resources != nullptr && operation.resources->entity) {
    const EntityOperation& entity = *operation.resources->entity;
    change.entity_before = parts_.entities.before(entity.key);
    parts_.entities.completed(entity, change.row.window, change.row.created);
  }
  parts_.ledger.add(batch, change, ended_);
}

/// The event was not stored, as far as anybody may rely on.
void Committer::undo_entity(Operation& operation) {
  const auto before = std::exchange(operation.ledger->entity_before, std::nullopt);
  if (before) parts_.entities.undo(operation.resources->entity->key, *before);
}

/// What becomes of the operation's record, and of those that it ends.
void Committer::add_outcome(rocksdb::WriteBatch& batch, const Operation& operation) {
  const std::string_view key = operation.fingerprint.view();
  const bool completes =
      operation.kind == Operation::Kind::complete || operation.kind == Operation::Kind::accept;
  if (completes && parts_.reservations.is_ended(operation.fingerprint)) {
    parts_.database.add(batch, Family::records, key, std::nullopt);
  } else {
    parts_.database.add(batch, Family::records, key, operation.record);
    for (const Write& more : operation.also) {
      parts_.database.add(batch, more.family, more.key, more.value);
    }
  }
  for (const Fingerprint& ended : operation.ends) add_end(batch, ended);
}

/// An operation that is under way was marked (Reservations::end_memory), and its own completion
/// handles it; or it was reserved since, and is a new one. The record of an operation that is not
/// under way is written by nobody else, because a call that is still reading writes after this
/// batch.
void Committer::add_end(rocksdb::WriteBatch& batch, const Fingerprint& fingerprint) {
  if (parts_.reservations.is_under_way(fingerprint)) return;
  std::optional<Record> record;
  {
    Database::Found found;
    parts_.database.get(Family::records, fingerprint.view(), found);
    if (found.failed() && parts_.observer.failed) parts_.observer.failed("read", found.error());
    if (!found.present()) return;
    record = decode(found.value());
  }
  // The service may still be processing it, and its lease blocks new reservations.
  if (record && record->state != Record::State::completed &&
      lease_end(*record, parts_.era) > parts_.clock.now()) {
    return;
  }
  parts_.database.add(batch, Family::records, fingerprint.view(), std::nullopt);
  if (record && record->answer_apart) {
    parts_.database.add(batch, Family::answers, answer_key(fingerprint, *record), std::nullopt);
  }
  ended_.push_back(fingerprint);
}

/// Behind the write, whatever came of it: until then a reader may have found the record on disk.
void Committer::forget_ended() {
  for (const Fingerprint& fingerprint : ended_) parts_.completed.forget(fingerprint);
  ended_.clear();
}

void Committer::add_ties(rocksdb::WriteBatch& batch, const Operation& operation) const {
  if (operation.resources == nullptr) return;
  const auto& [entity, rate] = *operation.resources;
  const auto kind = operation.kind;
  // A release has not changed the entity; the record shows that the turn is over.
  if (entity &&
      (kind == Operation::Kind::complete || kind == Operation::Kind::accept ||
       kind == Operation::Kind::entity || (kind == Operation::Kind::reserve && entity->turn))) {
    parts_.database.add(batch, Family::entities, entity->key.view(),
                        parts_.entities.encoded(entity->key));
  }
  if (rate && (kind == Operation::Kind::reserve || kind == Operation::Kind::accept ||
               kind == Operation::Kind::release)) {
    parts_.database.add(batch, Family::rates, rate->key.view(), parts_.rates.encoded(rate->key));
  }
}

}  // namespace onceproxy::store
