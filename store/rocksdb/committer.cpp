#include "store/rocksdb/committer.hpp"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "store/rocksdb/meta.hpp"

namespace onceproxy::store {

using SteadyClock = std::chrono::steady_clock;

namespace {
constexpr std::size_t batch_bytes_kept = std::size_t{256} << 10;
/// Where nothing else is written: so much less a start knows of how long it was idle. Not each
/// second, which would keep a disk awake.
constexpr std::chrono::milliseconds time_age_idle{60'000};

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
  std::unique_lock lock(pause_mutex_);
  if (pauses_end_) return false;
  task_ = &task;
  task_ran_ = false;
  queue_.wake();
  paused_.wait(lock, [this] { return task_ == nullptr; });
  return task_ran_;
}

void Committer::end_pause(bool runs) {
  const std::lock_guard lock(pause_mutex_);
  if (task_ == nullptr) return;
  if (runs) (*task_)();
  task_ran_ = runs;
  task_ = nullptr;
  paused_.notify_all();
}

void Committer::run() {
  pthread_setname_np(pthread_self(), "store-commit");
  for (;;) {
    end_pause(!failing());
    if (failing()) {
      recover();
    } else {
      work();
    }
    if (!finishing_.load(std::memory_order_acquire)) continue;
    if (failing()) end_while_failing();
    while (!failing() && write_duplicates()) continue;
    if (!failing()) write_notes();
    if (!failing()) write_time(std::chrono::milliseconds(0));
    if (queue_.seal()) break;
  }
  {
    const std::lock_guard lock(pause_mutex_);
    pauses_end_ = true;
  }
  end_pause(false);
}

void Committer::work() {
  if (SteadyClock::now() >= next_upkeep_) {
    upkeep();
    next_upkeep_ = SteadyClock::now() + parts_.tuning.tick;
    if (failing()) return;
  }
  // Who pushed last may be gone without a nudge.
  const bool finishing = finishing_.load(std::memory_order_acquire);
  Operation* pending = queue_.take(finishing ? SteadyClock::now() : next_upkeep_);
  while (pending != nullptr) {
    Operation* const group = next_group(pending);
    if (failing()) {
      fail(group, false);
    } else {
      commit(group);
    }
  }
}

/// Cuts as much off the front of `pending` as one group may hold.
Operation* Committer::next_group(Operation*& pending) const {
  Operation* const first = pending;
  Operation* last = first;
  std::size_t count = 1;
  std::size_t bytes = first->bytes();
  while (last->next != nullptr && count < parts_.tuning.group_max) {
    bytes += last->next->bytes();
    if (bytes > parts_.tuning.group_bytes_max) break;
    last = last->next;
    ++count;
  }
  pending = std::exchange(last->next, nullptr);
  return first;
}

void Committer::commit(Operation* group) {
  const auto begin = SteadyClock::now();
  std::size_t operations = 0;
  const rocksdb::Status status = write(group, operations);
  if (!status.ok()) {
    start_failing("write", status);
    fail(group, true);
    return;
  }
  if (parts_.observer.committed) {
    parts_.observer.committed(SteadyClock::now() - begin, operations);
  }
  succeed(group);
}

/// Beside what `sync: all` asks of every write. A release lost with the power leaves a reservation
/// that ends with its lease.
bool Committer::needs_sync(const Operation& operation) const {
  const bool forwards = operation.kind == Operation::Kind::reserve;
  const bool by_operator = operation.kind == Operation::Kind::entity;
  return parts_.options.sync != Sync::none && (forwards || by_operator);
}

rocksdb::Status Committer::write(Operation* group, std::size_t& operations) {
  batch_.Clear();
  bool sync = false;
  std::uint64_t highest = 0;
  for (const Operation* at = group; at != nullptr; at = at->next) {
    ++operations;
    sync = sync || needs_sync(*at);
    highest = std::max(highest, at->fence);
    add(batch_, *at);
  }
  keep_time(batch_);
  const auto ceiling = parts_.fences.ceiling_for(highest);
  if (ceiling) {
    meta::add_fence_ceiling(parts_.database, batch_, *ceiling);
    sync = true;
  }
  const rocksdb::Status status = parts_.database.write(batch_, sync);
  forget_ended();
  // What one large group took must not stay.
  if (batch_.GetDataSize() > batch_bytes_kept) batch_ = rocksdb::WriteBatch();
  if (status.ok() && ceiling) parts_.fences.ceiling_written(*ceiling);
  return status;
}

void Committer::add(rocksdb::WriteBatch& batch, const Operation& operation) {
  if (operation.kind != Operation::Kind::entity) {
    parts_.completed.remove(operation.fingerprint);
    add_outcome(batch, operation);
  }
  add_ties(batch, operation);
}

/// What becomes of the operation's record, and of those that it ends.
void Committer::add_outcome(rocksdb::WriteBatch& batch, const Operation& operation) {
  const std::string_view key = operation.fingerprint.view();
  if (operation.kind == Operation::Kind::complete &&
      parts_.reservations.is_ended(operation.fingerprint)) {
    parts_.database.add(batch, Family::records, key, std::nullopt);
  } else {
    parts_.database.add(batch, Family::records, key, operation.record);
    for (const Write& more : operation.also) {
      parts_.database.add(batch, more.family, more.key, more.value);
    }
  }
  for (const Fingerprint& ended : operation.ends) add_end(batch, ended);
}

/// Whoever is under way was told (Reservations::end_memory) and has its outcome dealt with by
/// itself; or it was reserved since, and is another. What is on disk of one that is not under way
/// nobody else can be writing: a claim that still looks writes behind this batch.
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
  // The service may still be at work on it, and its lease keeps others out.
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

/// The reservation that the operation settled is over.
void Committer::end(const Operation& operation) {
  const bool completed = operation.kind == Operation::Kind::complete;
  parts_.handover.end(operation.fingerprint, completed, delivery_,
                      [&operation] { return outcome_of(operation); });
}

void Committer::add_ties(rocksdb::WriteBatch& batch, const Operation& operation) const {
  if (operation.resources == nullptr) return;
  const auto& [entity, rate] = *operation.resources;
  const auto kind = operation.kind;
  // Whoever only releases or gives up has changed nothing of the entity: that its turn is over,
  // the record says.
  if (entity && (kind == Operation::Kind::complete || kind == Operation::Kind::entity ||
                 (kind == Operation::Kind::reserve && entity->turn))) {
    parts_.database.add(batch, Family::entities, entity->key.view(),
                        parts_.entities.encoded(entity->key));
  }
  if (rate && (kind == Operation::Kind::reserve || kind == Operation::Kind::release)) {
    parts_.database.add(batch, Family::rates, rate->key.view(), parts_.rates.encoded(rate->key));
  }
}

void Committer::succeed(Operation* group) {
  // Before the callers are answered, so that what was answered is in the log even if the process is
  // killed.
  for (const Operation* at = group; at != nullptr; at = at->next) note(*at);
  write_down();
  while (group != nullptr) {
    const std::unique_ptr<Operation> operation(std::exchange(group, group->next));
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
    } else {
      if (operation->kind != Operation::Kind::entity) end(*operation);
      operation->settle_call->result = Settled::done;
      delivery_.add(*operation->settle_call);
    }
  }
  delivery_.send();
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
  parts_.handover.end(operation.fingerprint, false);
}

void Committer::fail(Operation* group, bool maybe_on_disk) {
  while (group != nullptr) {
    std::unique_ptr<Operation> operation(std::exchange(group, group->next));
    if (operation->kind == Operation::Kind::reserve) {
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

void Committer::keep_time(rocksdb::WriteBatch& batch, std::chrono::milliseconds age) {
  const auto memory = parts_.clock.memory();
  if (!memory) return;
  // By the boot's clock: it may have slept since.
  if (kept_time_ && memory->since_boot - kept_time_->since_boot < age &&
      memory->doubted == kept_time_->doubted) {
    return;
  }
  parts_.database.add(batch, Family::meta, meta::clock, encode(*memory));
  kept_time_ = memory;
}

void Committer::follow_clock() {
  const std::string said = parts_.clock.tick();
  if (!said.empty() && parts_.observer.event) parts_.observer.event(said);
  write_time(time_age_idle);
}

void Committer::write_time(std::chrono::milliseconds age) {
  rocksdb::WriteBatch batch;
  keep_time(batch, age);
  if (batch.Count() == 0) return;
  const auto status = parts_.database.write(batch, false);
  if (!status.ok()) start_failing("clock", status);
}

void Committer::upkeep() {
  parts_.space.measure();
  records_estimate_.store(parts_.database.records_estimate(), std::memory_order_relaxed);
  if (parts_.database.background_failed()) {
    start_failing("background", rocksdb::Status::Aborted("a flush or compaction failed"));
    return;
  }
  if (const auto missing = parts_.database.missing()) {
    start_failing("files", rocksdb::Status::IOError(*missing));
    return;
  }
  extend_leases();
  if (failing()) return;
  write_duplicates();
  if (failing()) return;
  write_notes();
  if (failing()) return;
  follow_clock();
  Delivery out;
  parts_.entities.end_dead_turns(parts_.clock.now(), out);
  out.send();
}

void Committer::extend_leases() {
  const auto extensions = parts_.reservations.due(parts_.clock.now());
  if (extensions.empty()) return;
  rocksdb::WriteBatch batch;
  for (const Reservations::Extension& extension : extensions) {
    parts_.database.add(batch, Family::records, extension.fingerprint.view(),
                        encode(extension.record));
    if (!extension.entity) continue;
    const auto entity =
        parts_.entities.extended(*extension.entity, lease_end_max(extension.record));
    if (entity) parts_.database.add(batch, Family::entities, extension.entity->view(), entity);
  }
  keep_time(batch);
  const auto status = parts_.database.write(batch, parts_.options.sync != Sync::none);
  if (!status.ok()) {
    start_failing("extend", status);
    return;
  }
  for (const Reservations::Extension& extension : extensions) {
    parts_.reservations.extended(extension);
  }
}

/// Counts are for operators: lost with the power they are no loss, and a failed write is found out
/// by the next one that matters.
bool Committer::write_duplicates() {
  const auto lock = parts_.duplicates.writing();
  const auto noted = parts_.duplicates.take(parts_.tuning.duplicates_per_tick);
  if (noted.empty()) return false;
  rocksdb::WriteBatch batch;
  for (const auto& [fingerprint, count] : noted) {
    std::optional<DuplicateCount> earlier;
    Database::Found found;
    parts_.database.get(Family::duplicates, fingerprint.view(), found);
    if (found.present()) earlier = decode_duplicates(found.value());
    parts_.database.add(batch, Family::duplicates, fingerprint.view(),
                        encode(earlier ? sum(*earlier, count) : count));
  }
  const auto status = parts_.database.write(batch, false);
  if (!status.ok()) start_failing("duplicates", status);
  return status.ok();
}

/// As little is lost with these as with counts.
void Committer::write_notes() {
  const auto changed = parts_.notes.take();
  if (changed.empty()) return;
  rocksdb::WriteBatch batch;
  for (const auto& [key, value] : changed) {
    parts_.database.add(batch, Family::meta, key, value);
  }
  const auto status = parts_.database.write(batch, false);
  if (!status.ok()) start_failing("notes", status);
}

}  // namespace onceproxy::store
