// What the committer does between groups: what is known of time, leases, counts and notes.
#include "store/rocksdb/committer.hpp"
#include "store/rocksdb/kept_notes.hpp"
#include "store/rocksdb/meta.hpp"

namespace onceproxy::store {
namespace {
/// The interval if nothing else is written. After a crash, a start may underestimate the idle time
/// by this much. Writing each second would keep a disk from sleeping.
constexpr std::chrono::milliseconds time_age_idle{60'000};
}  // namespace

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

/// Like the counts, notes are written without a sync: little is lost with them.
void Committer::write_notes() {
  const auto changed = parts_.notes.take();
  if (changed.empty()) return;
  rocksdb::WriteBatch batch;
  for (const auto& [name, value] : changed) {
    parts_.database.add(batch, Family::meta, note_key(name), value);
  }
  const auto status = parts_.database.write(batch, false);
  parts_.notes.written(status.ok());
  if (!status.ok()) start_failing("notes", status);
}

}  // namespace onceproxy::store
