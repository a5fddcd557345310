#include "store/rocksdb/database_options.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/memtablerep.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>

#include <algorithm>

#include "store/duplicates.hpp"
#include "store/entity.hpp"
#include "store/record.hpp"
#include "store/rocksdb/digest_memtable.hpp"
#include "store/rocksdb/expiry_filter.hpp"
#include "store/rocksdb/library.hpp"
#include "store/rocksdb/prepared_log.hpp"
#include "store/rocksdb/rates.hpp"

namespace onceproxy::store {
namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr std::size_t fingerprint_bytes = 32;

/// The best this library was built with.
rocksdb::CompressionType best_of(std::initializer_list<rocksdb::CompressionType> wanted) {
  const auto supported = rocksdb::GetSupportedCompressions();
  for (const auto type : wanted) {
    if (std::find(supported.begin(), supported.end(), type) != supported.end()) return type;
  }
  return rocksdb::kNoCompression;
}

/// A file is rewritten at this age at the latest, so that what expired in it goes away although
/// nothing new lands beside it. As slow as keeps the rewriting under 1 MiB/s for a full store,
/// yet at least hourly: the default of 30 days would keep a day's records for a month.
std::uint64_t rewrite_after_seconds(const RocksDbOptions& options) {
  constexpr std::uint64_t hour = 3'600;
  return std::max(hour, options.bytes_max / mebibyte);
}

rocksdb::ColumnFamilyOptions common(const RocksDbOptions& options) {
  rocksdb::ColumnFamilyOptions out;
  out.compression = rocksdb::kNoCompression;
  out.level_compaction_dynamic_level_bytes = true;
  out.periodic_compaction_seconds = rewrite_after_seconds(options);
  out.ttl = 0;  // would mean the same once more
  return out;
}

/// Whether the indexes and filters of a store at its cap fit the cache: they take less than a
/// fiftieth of what they lead to.
bool indexes_fit(const RocksDbOptions& options, const Tuning& tuning) {
  return options.bytes_max / 50 <= tuning.cache_bytes;
}

/// Small values under 32-byte digests, with the expiry in the value.
rocksdb::ColumnFamilyOptions digest_family(const RocksDbOptions& options, const Tuning& tuning,
                                           const Clock& clock,
                                           const std::shared_ptr<rocksdb::Cache>& cache,
                                           ExpiryOf expiry_of) {
  rocksdb::ColumnFamilyOptions out = common(options);
  // Most reads ask for what is not there: a filter answers them without touching a block.
  rocksdb::BlockBasedTableOptions table;
  // Six or so are asked for each request: with 10 bits a key, which are wrong once in a hundred,
  // every twentieth would read a block in vain.
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(16));
  table.block_cache = cache;
  // Indexes and filters live in the cache, so that its size bounds memory whatever the store holds.
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  if (indexes_fit(options, tuning)) {
    // Smaller files have smaller filters, which share the cache better.
    out.target_file_size_base = 16 * mebibyte;
  } else {
    // In parts of 4 KiB, each look at which costs more: but what has left the cache comes back as
    // one page, not as a whole table's filter.
    table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
    table.partition_filters = true;
  }
  table.block_size = 8 << 10;  // half the index, for a little more to read per answer
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  table.format_version = 5;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  // Keys are random digests: a skip list of all of them misses the cache at every step, a bucket
  // each does not. The prefix is the whole key; an iterator must ask for total order.
  out.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(fingerprint_bytes));
  if (internals(options, tuning).known) {
    out.memtable_factory = make_digest_memtable(tuning.memtable_buckets);
  } else {
    out.memtable_factory.reset(rocksdb::NewHashLinkListRepFactory(tuning.memtable_buckets));
  }
  out.write_buffer_size = tuning.write_buffer_bytes;
  out.max_write_buffer_number = 3;
  // Every record is written twice within seconds (reserved, completed): more files at level 0
  // before they are merged means that more of that is merged at once.
  out.level0_file_num_compaction_trigger = tuning.level0_trigger;
  out.level0_slowdown_writes_trigger = tuning.level0_trigger * 4;
  out.level0_stop_writes_trigger = tuning.level0_trigger * 6;
  out.bottommost_compression = best_of({rocksdb::kLZ4Compression});
  out.compaction_filter_factory = make_expiry_filter(clock, expiry_of, false);
  return out;
}

rocksdb::ColumnFamilyOptions answers_family(const RocksDbOptions& options, const Clock& clock,
                                            const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions out = common(options);
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  out.write_buffer_size = 32 * mebibyte;
  out.max_write_buffer_number = 2;
  // Bodies go to blob files once and are not copied by each compaction. Answers expire about in
  // the order they came, so most blob files end as garbage whole and are deleted unread.
  out.enable_blob_files = true;
  out.min_blob_size = 0;
  out.blob_file_size = 64 * mebibyte;
  out.blob_compression_type = best_of({rocksdb::kZSTD, rocksdb::kLZ4Compression});
  out.enable_blob_garbage_collection = true;
  out.blob_garbage_collection_age_cutoff = 0.5;
  out.blob_garbage_collection_force_threshold = 0.5;
  out.compaction_filter_factory = make_expiry_filter(
      clock, [](std::string_view key, std::string_view) { return answer_key_expiry(key); }, true);
  return out;
}

/// Payloads of events. They go in about the order they came, as answers do, but each when it is not
/// needed any more: nothing expires by itself.
rocksdb::ColumnFamilyOptions events_family(const RocksDbOptions& options, const Clock& clock,
                                           const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions out = answers_family(options, clock, cache);
  out.compaction_filter_factory = nullptr;
  // Small ones stay in the tables, where deleting one costs nothing more.
  out.min_blob_size = 4096;
  return out;
}

/// Small rows in the order of their keys, most of which live for seconds.
rocksdb::ColumnFamilyOptions deliveries_family(const RocksDbOptions& options,
                                               const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions out = common(options);
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  out.write_buffer_size = 32 * mebibyte;
  out.max_write_buffer_number = 3;
  out.bottommost_compression = best_of({rocksdb::kLZ4Compression});
  // A queue leaves a deletion marker for each removed row, and a search for its first row skips all
  // of them: tables with many are merged at once.
  constexpr std::size_t window = 4'096;
  constexpr std::size_t deletions = 1'024;
  out.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(window, deletions));
  return out;
}

}  // namespace

Internals internals(const RocksDbOptions& options, const Tuning& tuning) {
  Internals out;
  out.known = tuning.library_series == rocksdb_series_tested;
  out.prepared_log =
      out.known && options.sync == Sync::all && options.prepared_log == PreparedLog::automatic;
  return out;
}

std::shared_ptr<GuardedFiles> guarded_files(const Internals& internals,
                                            const DirectoryLock& directory, LogNotes& notes) {
  auto logs = std::make_shared<PreparedLogs>(rocksdb::FileSystem::Default(), internals.prepared_log,
                                             &notes, internals.known);
  return std::make_shared<GuardedFiles>(std::move(logs), directory);
}

std::unique_ptr<rocksdb::Env> environment(std::shared_ptr<rocksdb::FileSystem> files,
                                          const Tuning& tuning) {
  if (tuning.over) files = tuning.over(std::move(files));
  return rocksdb::NewCompositeEnv(files);
}

rocksdb::Options database_options(const RocksDbOptions& options, rocksdb::Env& environment,
                                  std::shared_ptr<rocksdb::EventListener> listener,
                                  std::shared_ptr<rocksdb::Logger> log) {
  rocksdb::Options out;
  out.env = &environment;
  out.create_if_missing = true;
  out.create_missing_column_families = true;
  // Refuses a damaged database rather than reading around the damage.
  out.paranoid_checks = true;
  // False alarms in this version. LogNotes does what it is for.
  out.track_and_verify_wals_in_manifest = false;
  // After a failed write it is unknown what is on disk. RocksDB must not continue by itself: the
  // store reopens the database and reads back.
  out.max_bgerror_resume_count = 0;
  // The hash memtable takes one writer; there is one.
  out.allow_concurrent_memtable_write = false;
  out.enable_pipelined_write = false;
  // Bounds the replay at a start, and the part of the cap that the log takes.
  out.max_total_wal_size =
      std::clamp<std::uint64_t>(options.bytes_max / 8, 16 * mebibyte, 256 * mebibyte);
  out.db_write_buffer_size = 192 * mebibyte;
  out.max_manifest_file_size = 64 * mebibyte;
  out.max_open_files = 512;
  out.max_background_jobs = 2;
  out.bytes_per_sync = mebibyte;
  // Files are deleted by RocksDB's threads, not by a reader that held the last reference.
  out.avoid_unnecessary_blocking_io = true;
  out.listeners.push_back(std::move(listener));
  out.info_log = std::move(log);
  out.stats_dump_period_sec = 0;
  out.stats_persist_period_sec = 0;
  return out;
}

std::vector<rocksdb::ColumnFamilyDescriptor> family_descriptors(const RocksDbOptions& options,
                                                                const Tuning& tuning,
                                                                const Clock& clock) {
  // In few parts, so that a filter is a small share of one.
  constexpr int shard_bits = 3;
  const auto cache = rocksdb::NewLRUCache(tuning.cache_bytes, shard_bits);
  rocksdb::ColumnFamilyOptions meta = common(options);
  meta.write_buffer_size = mebibyte;
  return {{rocksdb::kDefaultColumnFamilyName, meta},
          {"records", digest_family(options, tuning, clock, cache,
                                    [](std::string_view, std::string_view value) {
                                      return decode_expiry(value);
                                    })},
          {"answers", answers_family(options, clock, cache)},
          {"entities", digest_family(options, tuning, clock, cache,
                                     [](std::string_view, std::string_view value) {
                                       return decode_entity_expiry(value);
                                     })},
          {"rates", digest_family(options, tuning, clock, cache,
                                  [](std::string_view, std::string_view value) {
                                    return decode_rate_expiry(value);
                                  })},
          {"duplicates", digest_family(options, tuning, clock, cache,
                                       [](std::string_view, std::string_view value) {
                                         return decode_duplicates_expiry(value);
                                       })},
          {"events", events_family(options, clock, cache)},
          {"deliveries", deliveries_family(options, cache)}};
}

}  // namespace onceproxy::store
