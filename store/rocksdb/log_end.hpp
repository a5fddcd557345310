// Where a write-ahead log ends that was written over prepared space (prepared_log.hpp). Its file
// continues after the end: with zeros, or with what there is of a write that a power cut
// interrupted.
//
// The format is RocksDB's own ("Write Ahead Log File Format" in its documentation): blocks of 32
// KiB, in them fragments of a checksum (4 bytes), a length (2), a type (1) and as many bytes as the
// length says; a record is one whole fragment, or a first, middle ones and a last. Each is a
// WriteBatch, which begins with its sequence number (8 bytes). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace onceproxy::store {

struct LogEnd {
  /// Behind the last whole record before anything that is none.
  std::uint64_t at = 0;
  /// Where a fragment should be and is neither one nor the trace of an interrupted write: a record
  /// was there that had been on disk. What follows it is not the log's end.
  std::optional<std::uint64_t> damage;
};

/// `log` is the whole file. Without `synced`, every write to it was on disk before the next began:
/// no more than the last can be interrupted, and of that any sector may have been written or not.
/// With `synced`, this holds for everything after the first `synced` bytes, regardless of the
/// number of writes; those were on disk.
LogEnd end_of_log(std::string_view log, std::optional<std::uint64_t> synced = std::nullopt);

/// The same for a MANIFEST, which has the log's format and grows. RocksDB syncs it after each
/// change of the set of files, and acts on the change only then. So a change that a power cut
/// interrupted is one that never happened, and must not keep the store from opening. What is longer
/// than one change can be, and what lacks no sector, is damage.
LogEnd end_of_manifest(std::string_view manifest);

}  // namespace onceproxy::store
