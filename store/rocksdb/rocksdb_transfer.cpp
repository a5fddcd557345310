#include "store/rocksdb/rocksdb_transfer.hpp"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "store/lease.hpp"
#include "store/rocksdb/database.hpp"
#include "store/rocksdb/event_rows.hpp"
#include "store/rocksdb/ledger_counts.hpp"
#include "store/rocksdb/meta.hpp"
#include "store/rocksdb/rates.hpp"

namespace onceproxy::store {

class RocksDbTransfer::Session {
 public:
  Session(const RocksDbOptions& options, Clock& clock, Opening opening)
      : options_(options), clock_(clock), database_(options_, Tuning{}, clock_, observer_) {
    const std::filesystem::path current = options_.path / "CURRENT";
    if (opening == Opening::existing && !std::filesystem::exists(current)) {
      refuse("there is no store", "check store.rocksdb.path");
    }
    database_.open();
    era_.fences_before = ceiling_ = meta::prepare(database_, options_.path);
    clock_.start(meta::kept_clock(database_, options_.path),
                 {options_.clock_ahead_max, options_.accept_clock});
    if (const auto memory = clock_.memory()) meta::keep_clock(database_, options_.path, *memory);
    if (clock_.standing().doubted) {
      refuse("its clock is in doubt",
             "set the machine's clock right, or start onceproxy once with --accept-clock");
    }
    era_.begun = clock_.now();
    era_.earlier_digests_fence =
        meta::keep_digests(database_, options_.path, era_.fences_before, era_.begun).earlier_fence;
  }
  ~Session() { database_.close(); }

  /// Key and value of all that is in a family. `visit` may read the database itself.
  template <typename Visit>
  void scan(Family family, const Visit& visit) const {
    constexpr std::size_t page_max = 1'000;
    std::vector<std::pair<std::string, std::string>> page;
    do {
      const std::string after = page.empty() ? std::string() : page.back().first;
      page.clear();
      const rocksdb::Status status =
          database_.scan(family, after, [&](std::string_view key, std::string_view value) {
            page.emplace_back(key, value);
            return page.size() < page_max;
          });
      if (!status.ok()) {
        refuse("cannot be read (" + status.ToString() + ")", "see the reason given");
      }
      for (const auto& [key, value] : page) visit(key, value);
    } while (page.size() == page_max);
  }

  std::optional<Record> live_record(const Fingerprint& fingerprint, std::string_view bytes);
  std::optional<Entity> live_entity(const EntityKey& key, std::string_view bytes) const;
  std::optional<RateTime> live_rate(const RateKey& key, std::string_view bytes) const;

  /// Events stay with the store that has them: they would be lost.
  void refuse_undelivered() const {
    Database::Found found;
    database_.get(Family::deliveries, counts_key({}), found);
    LedgerCounts counts;
    if (!found.present() || !counts.read(counts_key({}), found.value())) return;
    const std::uint64_t events = counts.totals().events_open;
    if (events == 0) return;
    refuse("has " + std::to_string(events) + " events that are not delivered to every listener",
           "let onceproxy deliver them, or drop them, before you move it");
  }

  /// The value that is there and has not expired.
  template <typename Name>
  bool has(Family family, const Name& name) const;

  void add(rocksdb::WriteBatch& batch, const Fingerprint& fingerprint, Record record) const;
  void write(rocksdb::WriteBatch& batch) {
    const rocksdb::Status status = database_.write(batch, true);
    if (!status.ok()) refuse("not writable (" + status.ToString() + ")", "see the reason given");
  }
  void raise(std::uint64_t above) {
    if (above <= ceiling_) return;
    rocksdb::WriteBatch batch;
    meta::add_fence_ceiling(database_, batch, above);
    write(batch);
    ceiling_ = above;
  }

  /// How far the wall clock is ahead of the store's.
  std::chrono::milliseconds ahead() const { return clock_.standing().wall_ahead; }

  Database& database() { return database_; }
  std::uint64_t ceiling() const { return ceiling_; }
  bool may_have_earlier_digests() const { return era_.earlier_digests_fence != 0; }
  /// How many of the records that were read since the last call have earlier digests.
  std::uint64_t take_earlier_digests() { return std::exchange(earlier_digests_, 0); }

 private:
  [[noreturn]] void refuse(const std::string& what, const std::string& way_out) const {
    throw std::runtime_error("store " + options_.path.string() + ": " + what + "; " + way_out);
  }
  [[noreturn]] void refuse_damaged(const std::string& what) const {
    refuse(what + " cannot be read", "restore the directory from a copy");
  }

  const RocksDbOptions options_;
  Clock& clock_;
  const RocksDbObserver observer_;
  Database database_;
  Era era_;
  std::uint64_t ceiling_ = 0;
  std::uint64_t earlier_digests_ = 0;
};

namespace {

/// 1970 stands for a time that is not known, or has long passed.
void shift(WallTime& time, std::chrono::milliseconds by) {
  if (time != WallTime()) time += by;
}

void shift(Record& record, std::chrono::milliseconds by) {
  for (WallTime* time : {&record.created, &record.lease_ends, &record.expires, &record.settled}) {
    shift(*time, by);
  }
}

void shift(Entity& entity, std::chrono::milliseconds by) {
  for (WallTime* time : {&entity.expires, &entity.sequence_until, &entity.closed_until}) {
    shift(*time, by);
  }
}

template <typename Name>
Name named(std::string_view key) {
  Name name;
  std::copy_n(key.begin(), std::min(key.size(), name.bytes.size()), name.bytes.begin());
  return name;
}

}  // namespace

std::optional<Record> RocksDbTransfer::Session::live_record(const Fingerprint& fingerprint,
                                                            std::string_view bytes) {
  std::optional<Record> record = decode(bytes);
  if (!record) refuse_damaged("the record " + fingerprint.hex());
  const WallTime expires = expiry(*record, era_);
  if (expires <= clock_.now()) return std::nullopt;
  if (record->fence <= era_.earlier_digests_fence) ++earlier_digests_;
  if (record->answer_apart) {
    Database::Found found;
    database_.get(Family::answers, answer_key(fingerprint, *record), found);
    if (!found.present() || !decode_answer(found.value(), record->answer)) {
      refuse_damaged("the answer of " + fingerprint.hex());
    }
    record->answer_apart = false;
  }
  if (record->state == Record::State::reserved) {
    record->lease_ends = lease_end(*record, era_);
    record->expires = expires;
  }
  shift(*record, ahead());
  return record;
}

std::optional<Entity> RocksDbTransfer::Session::live_entity(const EntityKey& key,
                                                            std::string_view bytes) const {
  std::optional<Entity> entity = decode_entity(bytes);
  if (!entity) refuse_damaged("the entity " + key.hex());
  if (entity->expires <= clock_.now()) return std::nullopt;
  shift(*entity, ahead());
  return entity;
}

std::optional<RateTime> RocksDbTransfer::Session::live_rate(const RateKey& key,
                                                            std::string_view bytes) const {
  const std::optional<RateTime> rate = decode_rate(bytes);
  if (!rate) refuse_damaged("the rate limit " + key.hex());
  if (*rate <= clock_.now()) return std::nullopt;
  return *rate + ahead();
}

template <typename Name>
bool RocksDbTransfer::Session::has(Family family, const Name& name) const {
  Database::Found found;
  database_.get(family, name.view(), found);
  if (found.failed()) refuse("cannot be read (" + found.error() + ")", "see the reason given");
  if (!found.present()) return false;
  std::optional<WallTime> expires;
  switch (family) {
    case Family::records:
      if (const auto record = decode(found.value())) expires = expiry(*record, era_);
      break;
    case Family::entities:
      expires = decode_entity_expiry(found.value());
      break;
    default:
      expires = decode_rate_expiry(found.value());
  }
  return !expires || *expires > clock_.now();
}

void RocksDbTransfer::Session::add(rocksdb::WriteBatch& batch, const Fingerprint& fingerprint,
                                   Record record) const {
  shift(record, -ahead());
  record.answer_apart = record.state == Record::State::completed && record.answer.replayable &&
                        lies_apart(record.answer);
  if (record.answer_apart) {
    database_.add(batch, Family::answers, answer_key(fingerprint, record),
                  encode_answer(record.answer));
  }
  database_.add(batch, Family::records, fingerprint.view(), encode(record));
}

RocksDbTransfer::RocksDbTransfer(const RocksDbOptions& options, Clock& clock, Opening opening)
    : session_(std::make_unique<Session>(options, clock, opening)) {}

RocksDbTransfer::~RocksDbTransfer() = default;

void RocksDbTransfer::read_records(const std::function<void(const CarriedRecord&)>& each) {
  session_->refuse_undelivered();
  session_->scan(Family::records, [&](std::string_view key, std::string_view value) {
    const auto fingerprint = named<Fingerprint>(key);
    if (auto record = session_->live_record(fingerprint, value)) {
      each({fingerprint, *std::move(record)});
    }
  });
}

void RocksDbTransfer::read_entities(const std::function<void(const CarriedEntity&)>& each) {
  session_->scan(Family::entities, [&](std::string_view key, std::string_view value) {
    const auto name = named<EntityKey>(key);
    if (auto entity = session_->live_entity(name, value)) each({name, *std::move(entity)});
  });
}

void RocksDbTransfer::read_rates(const std::function<void(const CarriedRate&)>& each) {
  session_->scan(Family::rates, [&](std::string_view key, std::string_view value) {
    const auto name = named<RateKey>(key);
    if (const auto rate = session_->live_rate(name, value)) each({name, *rate});
  });
}

std::size_t RocksDbTransfer::write_records(std::span<const CarriedRecord> records) {
  rocksdb::WriteBatch batch;
  std::size_t added = 0;
  for (const auto& [fingerprint, record] : records) {
    if (session_->has(Family::records, fingerprint)) continue;
    session_->add(batch, fingerprint, record);
    ++added;
  }
  session_->write(batch);
  return added;
}

std::size_t RocksDbTransfer::write_entities(std::span<const CarriedEntity> entities) {
  rocksdb::WriteBatch batch;
  std::size_t added = 0;
  for (const auto& [key, entity] : entities) {
    if (session_->has(Family::entities, key)) continue;
    Entity shifted = entity;
    shift(shifted, -session_->ahead());
    session_->database().add(batch, Family::entities, key.view(), encode(shifted));
    ++added;
  }
  session_->write(batch);
  return added;
}

std::size_t RocksDbTransfer::write_rates(std::span<const CarriedRate> rates) {
  rocksdb::WriteBatch batch;
  std::size_t added = 0;
  for (const auto& [key, arrival] : rates) {
    if (session_->has(Family::rates, key)) continue;
    session_->database().add(batch, Family::rates, key.view(),
                             encode_rate(arrival - session_->ahead()));
    ++added;
  }
  session_->write(batch);
  return added;
}

void RocksDbTransfer::raise_fence(std::uint64_t above) {
  session_->raise(above);
}

std::uint64_t RocksDbTransfer::highest_fence() const {
  return session_->ceiling();
}

std::uint64_t RocksDbTransfer::earlier_digests() {
  if (!session_->may_have_earlier_digests()) return 0;
  session_->take_earlier_digests();
  read_records([](const CarriedRecord&) {});
  return session_->take_earlier_digests();
}

}  // namespace onceproxy::store
