// RecordReader: looks a fingerprint up on disk and says what that means for a request. A completed
// record that is asked for again is answered from memory. Thread-safe; runs on its caller's thread,
// which waits for the disk if the block is in no cache.
#pragma once

#include <string_view>
#include <variant>

#include "store/completed_cache.hpp"
#include "store/judgement.hpp"
#include "store/rocksdb/database.hpp"

namespace onceproxy::store {

using Looked = std::variant<Free, Mismatch, Held, Completed, Unavailable>;

class RecordReader {
 public:
  /// All outlive it.
  RecordReader(const Database& database, CompletedCache& cache, const RocksDbObserver& observer,
               const Era& era)
      : database_(database), cache_(cache), observer_(observer), era_(era) {}

  /// What the disk says, whether or not the reservation is held. A read that failed and a record
  /// that cannot be read are reported to the observer. `claimed`: the caller has the claim on the
  /// fingerprint, so that what is found to be completed can be kept in memory.
  /// If nothing is found, the record of an earlier version under the request's earlier
  /// fingerprint decides, if there is one.
  Looked look(const ReserveRequest& request, WallTime now, bool claimed) const;

 private:
  Looked look_at(const Fingerprint& fingerprint, const ReserveRequest& request, WallTime now,
                 bool claimed) const;
  Looked read(const Fingerprint& fingerprint, const ReserveRequest& request, WallTime now,
              bool claimed) const;
  bool is_left_out(const Fingerprint& fingerprint, const ReserveRequest& request,
                   const Record& record) const;
  Unavailable read_failed(std::string_view detail) const;
  Unavailable undecodable(const Fingerprint& fingerprint) const;

  const Database& database_;
  CompletedCache& cache_;
  const RocksDbObserver& observer_;
  const Era& era_;
};

}  // namespace onceproxy::store
