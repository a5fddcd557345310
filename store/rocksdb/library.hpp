// The RocksDB library that the program runs with, and whether the store may rely on its internals.
//
// Two parts of the store depend on more than RocksDB's public promises: the prepared log and the
// search for its end know the format of the write-ahead log and of the manifest (prepared_log.hpp,
// log_end.hpp), and the memtable implements an interface that changes between releases
// (digest_memtable.hpp). They are tested with one release series, and onceproxy does not compile
// with the headers of another. If the shared library at run time is of another series, the store
// uses RocksDB's own log and memtable, which read what these wrote: slower, and just as safe.
#pragma once

#include <string>
#include <string_view>

namespace onceproxy::store {

/// Of the library that is loaded: "7.8".
std::string rocksdb_series();

/// The series that the tests of the prepared log, of its end and of the memtable passed with.
inline constexpr std::string_view rocksdb_series_tested = "7.8";

}  // namespace onceproxy::store
