#include "store/rocksdb/library.hpp"

#include <rocksdb/version.h>

namespace onceproxy::store {

// The headers decide which interface the memtable implements. To build with another series, run the
// tests of prepared_log, log_end and digest_memtable, then change this and rocksdb_series_tested
// together.
static_assert(ROCKSDB_MAJOR == 7 && ROCKSDB_MINOR == 8,
              "onceproxy is tested with RocksDB 7.8 (Debian 12). Build with librocksdb-dev 7.8, or "
              "see store/rocksdb/library.hpp for how to support another series.");

std::string rocksdb_series() {
  return rocksdb::GetRocksVersionAsString(false);
}

}  // namespace onceproxy::store
