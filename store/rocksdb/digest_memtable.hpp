// The memtable of families whose keys are digests: RocksDB's hash table of linked lists, with its
// own order. A flush and a scan want all keys in order, for which that table inserts them one by
// one into a skip list, each comparison two misses of the cache; here their first eight bytes are
// put beside each other and sorted. If keys are as good as random these decide nearly every
// comparison.
//
// Not thread-safe beyond what RocksDB asks of a memtable: one writer, any number of readers.
#pragma once

#include <rocksdb/memtablerep.h>

#include <cstddef>
#include <memory>

namespace onceproxy::store {

/// Needs a prefix extractor that takes whole keys, and no concurrent memtable writes.
std::shared_ptr<rocksdb::MemTableRepFactory> make_digest_memtable(std::size_t buckets);

}  // namespace onceproxy::store
