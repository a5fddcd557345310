// What a write-ahead log says to the notes (log_notes.hpp), and the log that grows as RocksDB has
// it: if not every write is synced, and if a file system has no direct I/O.
#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "store/rocksdb/log_notes.hpp"

namespace onceproxy::store {

/// A log is prepared in pieces of this size, some thirty syncs of a busy store, or all of a quiet
/// one. And so often it is noted how long it is.
constexpr std::size_t log_piece = std::size_t{1} << 20;

/// An errno as RocksDB wants it, with what was being done.
rocksdb::IOStatus log_failure(const char* what, int number);

/// One log's notes; null: none are made. `strict` as LogNotes::Note has it.
class Noting {
 public:
  Noting(LogNotes* notes, std::uint64_t log, bool strict)
      : notes_(notes), log_(log), strict_(strict) {}

  /// So much of the log is on disk.
  rocksdb::IOStatus note(std::uint64_t bytes);

 private:
  LogNotes* const notes_;
  const std::uint64_t log_;
  const bool strict_;
};

/// Notes with each further piece how much was synced.
std::unique_ptr<rocksdb::FSWritableFile> noted_log(std::unique_ptr<rocksdb::FSWritableFile> file,
                                                   Noting noting);

}  // namespace onceproxy::store
