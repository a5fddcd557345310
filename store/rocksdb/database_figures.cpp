#include <mutex>

#include "store/rocksdb/database.hpp"

namespace onceproxy::store {

RocksDbFigures Database::figures() const {
  RocksDbFigures figures;
  const std::shared_lock lock(mutex_);
  if (!db_) return figures;
  const auto of_all = [&](const rocksdb::Slice& property) {
    std::uint64_t value = 0;
    db_->GetAggregatedIntProperty(property, &value);
    return value;
  };
  // What the families share is asked of one: the sum would count it once for each.
  const auto shared = [&](const rocksdb::Slice& property) {
    std::uint64_t value = 0;
    db_->GetIntProperty(handle(Family::records), property, &value);
    return value;
  };
  using Property = rocksdb::DB::Properties;
  figures.writes_stopped = shared(Property::kIsWriteStopped) != 0;
  figures.delayed_write_rate = shared(Property::kActualDelayedWriteRate);
  figures.background_errors = shared(Property::kBackgroundErrors);
  figures.memtable_bytes = of_all(Property::kCurSizeAllMemTables);
  figures.compaction_pending_bytes = of_all(Property::kEstimatePendingCompactionBytes);
  figures.compactions_running = shared(Property::kNumRunningCompactions);
  figures.block_cache_bytes = shared(Property::kBlockCacheUsage);
  figures.blob_bytes = of_all(Property::kTotalBlobFileSize);
  return figures;
}

}  // namespace onceproxy::store
