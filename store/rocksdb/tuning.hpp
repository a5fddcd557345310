// Tuning: what the RocksDB store takes as given and no operator sets. Tests pass their own: another
// file system underneath, quicker ticks. Not part of the interface other folders use.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "store/rocksdb/library.hpp"

namespace rocksdb {
class FileSystem;
}

namespace onceproxy::store {

struct Tuning {
  /// The series of the RocksDB library; tests pretend another.
  std::string library_series = rocksdb_series();
  /// Puts a file system of the caller's over the one RocksDB is to use; null for none. Called once
  /// for each store.
  std::function<std::shared_ptr<rocksdb::FileSystem>(std::shared_ptr<rocksdb::FileSystem>)> over;
  /// How often leases are extended and the directory is measured.
  std::chrono::milliseconds tick{1'000};
  /// The time for which the work for an event that has ended waits for a group.
  std::chrono::milliseconds looks_wait{200};
  /// Between two attempts to reopen the database after a failure; doubles from first to last.
  std::chrono::milliseconds reopen_first{50};
  std::chrono::milliseconds reopen_last{5'000};
  /// Between two full reclaiming passes while the directory is above its cap.
  std::chrono::milliseconds reclaim_pause{60'000};
  /// Outcomes that could not be written and wait for the database to come back.
  std::size_t retained_max = 100'000;
  std::size_t retained_bytes_max = std::size_t{64} << 20;
  /// Reserves that wait, for another's outcome or for a turn, and what their callers keep
  /// meanwhile.
  std::size_t waiting_max = 10'000;
  std::size_t waiting_bytes_max = std::size_t{64} << 20;
  /// Of those, how many for one entity's turn.
  std::size_t entity_queue_max = 1'000;
  /// The memtable of records, and when level 0 is merged into level 1.
  std::size_t write_buffer_bytes = std::size_t{32} << 20;
  std::size_t memtable_buckets = 1 << 17;
  int level0_trigger = 8;
  /// What of the tables is kept in memory, indexes and filters included, whatever the store holds.
  std::size_t cache_bytes = std::size_t{96} << 20;
  /// Completed records that were asked for again, kept beside that with their answers.
  std::size_t completed_cache_bytes = std::size_t{32} << 20;
  /// Operations whose duplicates are counted in memory, and are written with each tick.
  std::size_t duplicates_max = 65'536;
  std::size_t duplicates_per_tick = 2'048;
  /// Between two parts of the walk that counts records by their state.
  std::chrono::milliseconds census_pause{10'000};
  /// The same during the first walk, and between two looks at what has changed since.
  std::chrono::milliseconds census_look{1'000};
  /// Records that are looked at for one page of a list, and about for one part of that walk.
  std::size_t scan_max = 20'000;
  /// One group holds no more than this.
  std::size_t group_max = 1'024;
  std::size_t group_bytes_max = std::size_t{8} << 20;
};

}  // namespace onceproxy::store
