// A write-ahead log or a MANIFEST as RocksDB is to read it: up to its end (log_end.hpp), which may
// lie before its file's; or, if it is damaged, whole, and in a way that RocksDB sees too.
#pragma once

#include <rocksdb/file_system.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace onceproxy::store {

/// `file` is the one of that name, opened. `synced` as end_of_log() has it. Gives `file` back if
/// the log cannot be read, which the next reader reports better.
std::unique_ptr<rocksdb::FSSequentialFile> view_of_log(
    std::unique_ptr<rocksdb::FSSequentialFile> file, const std::string& name,
    std::optional<std::uint64_t> synced);

/// The same for a MANIFEST (end_of_manifest()).
std::unique_ptr<rocksdb::FSSequentialFile> view_of_manifest(
    std::unique_ptr<rocksdb::FSSequentialFile> file, const std::string& name);

}  // namespace onceproxy::store
