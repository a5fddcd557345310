// RocksDbInspection: Inspection on the RocksDB store. It reads beside the verbs, and changes
// through what they use: the table of reservations, so that no request comes between, and the
// committer. Thread-safe; each call waits for the disk.
#pragma once

#include <atomic>
#include <memory>

#include "store/duplicates.hpp"
#include "store/inspection.hpp"
#include "store/rocksdb/committer.hpp"
#include "store/rocksdb/handover.hpp"

namespace onceproxy::store {

class RocksDbInspection final : public Inspection {
 public:
  /// What it works on; all of it outlives the inspection.
  struct Parts {
    const Database& database;
    Reservations& reservations;
    Entities& entities;
    Rates& rates;
    Handover& handover;
    const Duplicates& duplicates;
    Committer& committer;
    Census& census;
    const Tuning& tuning;
    const Clock& clock;
    const Era& era;
    const std::atomic<bool>& closing;
  };
  explicit RocksDbInspection(const Parts& parts) : parts_(parts) {}

  std::variant<RecordPage, Unreadable> records(const RecordFilter& filter,
                                               const std::optional<Fingerprint>& after,
                                               std::size_t limit) override;
  std::variant<std::optional<RecordView>, Unreadable> record(
      const Fingerprint& fingerprint) override;
  Changed release(const Fingerprint& fingerprint) override;
  Changed resolve(const Fingerprint& fingerprint,
                  const std::optional<StoredAnswer>& answer) override;
  Changed forget(const Fingerprint& fingerprint) override;
  std::variant<std::optional<EntityView>, Unreadable> entity(const EntityKey& key) override;
  Changed open(const EntityKey& key) override;

 private:
  std::variant<std::optional<Record>, Unreadable> read(const Fingerprint& fingerprint) const;
  bool is_held(const Fingerprint& fingerprint, const Record& record) const {
    return parts_.reservations.is_held(fingerprint, record.nonce);
  }
  WallTime expiry(const Fingerprint& fingerprint, const Record& record) const;
  RecordView view(const Fingerprint& fingerprint, Record record, WallTime now) const;
  void add_duplicates(RecordView& view) const;
  std::optional<Record> claim(const Fingerprint& fingerprint, Changed& why_not);
  Changed give_back(const Fingerprint& fingerprint, Changed result);
  Changed settle(std::unique_ptr<Operation> operation);
  bool stopped() const;

  const Parts parts_;
};

}  // namespace onceproxy::store
