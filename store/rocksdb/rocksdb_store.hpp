// RocksDbStore: the Store on one machine, in an embedded RocksDB that one process owns. One
// committer thread writes: whatever arrives while it writes forms the next group, and a group
// costs one sync. Reads run on the caller's thread.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "store/clock.hpp"
#include "store/inspection.hpp"
#include "store/rocksdb/backup.hpp"
#include "store/rocksdb/observer.hpp"
#include "store/rocksdb/options.hpp"
#include "store/rocksdb/stats.hpp"
#include "store/store.hpp"

namespace onceproxy::store {

class RocksDbStore : public Store {
 public:
  /// Opens or creates the database. Throws std::runtime_error with a message that names the
  /// directory, what is wrong (in use by another process, read-only, corrupt, not a directory)
  /// and the way out. `clock` outlives the store, which starts it with what the database kept.
  static std::unique_ptr<RocksDbStore> open(const RocksDbOptions& options, Clock& clock,
                                            RocksDbObserver observer);

  virtual RocksDbStats stats() const = 0;
  virtual RocksDbFigures figures() const = 0;

  /// Why the store promises nothing just now, for operators; empty while it is healthy.
  virtual std::string failure() const = 0;

  /// For operators; lives as long as the store.
  virtual Inspection& inspection() = 0;

  /// Everything the store knows now, as a backup (backup.hpp) in `directory`, which must be new or
  /// empty. While it is made the store works on, but for the moment in which tables are written
  /// down and linked. Ends early, with an error, soon after `stop`, or when the store fails or
  /// closes. From one thread at a time. Throws std::runtime_error with a message for an operator.
  virtual BackupContents back_up(const std::filesystem::path& directory,
                                 const std::atomic<bool>& stop) = 0;

  /// Answers every call under way, flushes, and closes. Verbs answer `closing` from then on; so do
  /// calls that waited, on their loops: the store must stay until they were answered.
  /// Idempotent; the destructor calls it.
  virtual void close() = 0;
};

struct Tuning;
/// open(), with what no operator sets and tests do (tuning.hpp).
std::unique_ptr<RocksDbStore> open_tuned(const RocksDbOptions& options, const Tuning& tuning,
                                         Clock& clock, RocksDbObserver observer);

}  // namespace onceproxy::store
