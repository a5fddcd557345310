#include "store/rocksdb/rocksdb_inspection.hpp"

#include <algorithm>
#include <utility>

#include "store/blocking_loop.hpp"

namespace onceproxy::store {
namespace {

RecordView::State shown(Record::State state) {
  switch (state) {
    case Record::State::reserved:
      return RecordView::State::reserved;
    case Record::State::completed:
      return RecordView::State::completed;
    case Record::State::unknown:
      break;
  }
  return RecordView::State::unknown;
}

/// Of a reservation whose lease is over: nothing else was written.
constexpr std::string_view holder_gone = "no request holds the reservation any more";

std::unique_ptr<Operation> operation_on(const Fingerprint& fingerprint, Operation::Kind kind,
                                        const Record& record) {
  auto operation = std::make_unique<Operation>();
  operation->kind = kind;
  operation->fingerprint = fingerprint;
  operation->nonce = record.nonce;
  return operation;
}

}  // namespace

bool RocksDbInspection::stopped() const {
  return parts_.closing.load(std::memory_order_acquire) || parts_.committer.failing();
}

/// The record as it lives now; nothing if there is none or it has expired.
std::variant<std::optional<Record>, Unreadable> RocksDbInspection::read(
    const Fingerprint& fingerprint) const {
  Database::Found found;
  parts_.database.get(Family::records, fingerprint.view(), found);
  if (found.failed()) return Unreadable{found.error()};
  if (!found.present()) return std::nullopt;
  auto record = decode(found.value());
  if (!record) return Unreadable{"the record is damaged"};
  if (expiry(fingerprint, *record) <= parts_.clock.now()) return std::nullopt;
  return record;
}

WallTime RocksDbInspection::expiry(const Fingerprint& fingerprint, const Record& record) const {
  return is_held(fingerprint, record) ? record.expires : store::expiry(record, parts_.era);
}

RecordView RocksDbInspection::view(const Fingerprint& fingerprint, Record record,
                                   WallTime now) const {
  RecordView view;
  view.fingerprint = fingerprint;
  view.held = is_held(fingerprint, record);
  const Record::State state = state_at(record, parts_.era, now, view.held);
  view.state = shown(state);
  if (state != record.state) record.error = holder_gone;
  view.policy = std::move(record.policy);
  view.request_id = std::move(record.request_id);
  view.path = std::move(record.path);
  view.entity_type = std::move(record.entity_type);
  view.entity_id = std::move(record.entity_id);
  view.error = std::move(record.error);
  view.created = record.created;
  view.lease_ends = view.held ? record.lease_ends : lease_end(record, parts_.era);
  view.expires = view.held ? record.expires : store::expiry(record, parts_.era);
  view.attempts = record.attempt;
  view.fence = record.fence;
  if (record.state == Record::State::completed && record.answer.status != 0) {
    view.status = record.answer.status;
  }
  if (record.state == Record::State::completed && !record.answer.replayable) {
    view.not_kept = record.answer.not_kept;
  }
  return view;
}

void RocksDbInspection::add_duplicates(RecordView& view) const {
  const auto lock = parts_.duplicates.reading();
  std::optional<DuplicateCount> count;
  {
    Database::Found found;
    parts_.database.get(Family::duplicates, view.fingerprint.view(), found);
    if (found.present()) count = decode_duplicates(found.value());
  }
  if (const auto noted = parts_.duplicates.noted(view.fingerprint)) {
    count = count ? sum(*count, *noted) : *noted;
  }
  // What was counted before this record was made belongs to an earlier operation.
  if (!count || count->last < view.created) return;
  view.duplicates = count->number;
  view.last_duplicate = count->last;
}

std::variant<RecordPage, Unreadable> RocksDbInspection::records(
    const RecordFilter& filter, const std::optional<Fingerprint>& after, std::size_t limit) {
  RecordPage page;
  const WallTime now = parts_.clock.now();
  std::size_t looked_at = 0;
  Fingerprint last;
  bool full = false;
  const auto status = parts_.database.scan(
      Family::records, after ? after->view() : std::string_view(),
      [&](std::string_view key, std::string_view value) {
        if (page.items.size() == limit || looked_at == parts_.tuning.scan_max) {
          full = true;
          return false;
        }
        ++looked_at;
        if (key.size() != last.bytes.size()) return true;
        std::copy(key.begin(), key.end(), last.bytes.begin());
        auto record = decode(value);
        // A damaged record is an error when it is requested, and must not end the list.
        if (!record || expiry(last, *record) <= now) return true;
        if (filter.policy && record->policy != *filter.policy) return true;
        if (filter.older_than && now - record->created < *filter.older_than) return true;
        if (!filter.subject.admits({record->path, record->entity_type, record->entity_id})) {
          return true;
        }
        RecordView item = view(last, *std::move(record), now);
        if (filter.state && item.state != *filter.state) return true;
        page.items.push_back(std::move(item));
        return true;
      });
  if (!status.ok()) return Unreadable{status.ToString()};
  // Not within the scan, which keeps the database from being closed: a read in there could wait for
  // a reopening that waits for the scan.
  for (RecordView& item : page.items) add_duplicates(item);
  if (full) page.next = last;
  return page;
}

std::variant<std::optional<RecordView>, Unreadable> RocksDbInspection::record(
    const Fingerprint& fingerprint) {
  auto found = read(fingerprint);
  if (auto* const why = std::get_if<Unreadable>(&found)) return std::move(*why);
  auto& record = std::get<std::optional<Record>>(found);
  if (!record) return std::nullopt;
  RecordView out = view(fingerprint, *std::move(record), parts_.clock.now());
  add_duplicates(out);
  return out;
}

/// Sends it to the disk and waits for it.
Changed RocksDbInspection::settle(std::unique_ptr<Operation> operation) {
  BlockingLoop loop;
  Call<Settled> call(loop);
  const Fingerprint fingerprint = operation->fingerprint;
  const bool touches_record = operation->kind != Operation::Kind::entity;
  operation->settle_call = &call;
  if (parts_.committer.push(std::move(operation), false) != nullptr) {
    if (touches_record) parts_.handover.end(fingerprint, false);
    return Changed::failed;
  }
  loop.wait();
  if (touches_record) parts_.census.look_again(fingerprint);
  return call.result == Settled::done ? Changed::done : Changed::failed;
}

Changed RocksDbInspection::give_back(const Fingerprint& fingerprint, Changed result) {
  parts_.handover.end(fingerprint, false);
  return result;
}

/// Takes the fingerprint, so that no other call decides about it meanwhile, and reads its record.
std::optional<Record> RocksDbInspection::claim(const Fingerprint& fingerprint, Changed& why_not) {
  if (stopped()) {
    why_not = Changed::failed;
    return std::nullopt;
  }
  switch (parts_.reservations.claim_for_operator(fingerprint)) {
    case Reservations::Claim::mine:
      break;
    case Reservations::Claim::full:
      why_not = Changed::failed;
      return std::nullopt;
    case Reservations::Claim::looking:
    case Reservations::Claim::in_flight:
    case Reservations::Claim::mismatch:
      why_not = Changed::conflict;
      return std::nullopt;
  }
  auto found = read(fingerprint);
  auto* const record = std::get_if<std::optional<Record>>(&found);
  if (record != nullptr && *record) return std::move(*record);
  why_not = give_back(fingerprint, record == nullptr ? Changed::failed : Changed::absent);
  return std::nullopt;
}

Changed RocksDbInspection::release(const Fingerprint& fingerprint) {
  if (stopped()) return Changed::failed;
  // Held by a request of this process: its permit is worth nothing from here on.
  if (const auto revoked = parts_.reservations.revoke(fingerprint)) {
    if (revoked->resources != nullptr && revoked->resources->rate) {
      parts_.rates.give_back(revoked->resources->rate->key, revoked->resources->rate->token);
    }
    auto operation = operation_on(fingerprint, Operation::Kind::release, revoked->record);
    operation->resources = revoked->resources;
    return settle(std::move(operation));
  }
  Changed why_not{};
  const auto record = claim(fingerprint, why_not);
  if (!record) return why_not;
  if (record->state == Record::State::completed) return give_back(fingerprint, Changed::conflict);
  const Changed result = settle(operation_on(fingerprint, Operation::Kind::release, *record));
  if (result == Changed::done) parts_.handover.turn_is_over(fingerprint);
  return result;
}

Changed RocksDbInspection::resolve(const Fingerprint& fingerprint,
                                   const std::optional<StoredAnswer>& answer) {
  Changed why_not{};
  auto record = claim(fingerprint, why_not);
  if (!record) return why_not;
  const WallTime now = parts_.clock.now();
  if (state_at(*record, parts_.era, now, false) != Record::State::unknown) {
    return give_back(fingerprint, Changed::conflict);
  }
  const bool reserved = record->state == Record::State::reserved;
  const auto window = record->expires - (reserved ? lease_end_max(*record) : record->settled);
  record->state = Record::State::completed;
  record->settled = now;
  record->expires = record->settled + window;
  record->error.clear();
  record->answer = answer.value_or(StoredAnswer{0, {}, {}, false, NotKept::resolved});
  record->answer_apart = lies_apart(record->answer);
  auto operation = operation_on(fingerprint, Operation::Kind::complete, *record);
  if (record->answer_apart) {
    operation->also.push_back(
        {Family::answers, answer_key(fingerprint, *record), encode_answer(record->answer)});
  }
  operation->record = encode(*record);
  const Changed result = settle(std::move(operation));
  if (result == Changed::done && reserved) parts_.handover.turn_is_over(fingerprint);
  return result;
}

Changed RocksDbInspection::forget(const Fingerprint& fingerprint) {
  Changed why_not{};
  const auto record = claim(fingerprint, why_not);
  if (!record) return why_not;
  auto operation = operation_on(fingerprint, Operation::Kind::release, *record);
  if (record->answer_apart) {
    operation->also.push_back({Family::answers, answer_key(fingerprint, *record), std::nullopt});
  }
  const bool reserved = record->state == Record::State::reserved;
  const Changed result = settle(std::move(operation));
  if (result == Changed::done && reserved) parts_.handover.turn_is_over(fingerprint);
  return result;
}

std::variant<std::optional<EntityView>, Unreadable> RocksDbInspection::entity(
    const EntityKey& key) {
  return parts_.entities.view(key, parts_.clock.now());
}

Changed RocksDbInspection::open(const EntityKey& key) {
  if (stopped()) return Changed::failed;
  const Changed opened = parts_.entities.open(key, parts_.clock.now());
  if (opened != Changed::done) return opened;
  // A user of the entity now, so that what is in memory stays what counts until it is written.
  EntityOperation of_entity;
  of_entity.key = key;
  HeldResources resources;
  resources.entity = of_entity;
  auto operation = std::make_unique<Operation>();
  operation->kind = Operation::Kind::entity;
  operation->resources = &resources;
  const Changed result = settle(std::move(operation));
  Delivery out;
  parts_.entities.leave(key, false, out);
  out.send();
  return result;
}

}  // namespace onceproxy::store
