// A store made of a backup (backup.hpp). Offline: no process may have the store open.
//
// The store then knows what it knew when the backup was made. Fences begin above every one that may
// have been given out since: a mark, RESTORED, tells the next start to do so.
#pragma once

#include <filesystem>

#include "store/rocksdb/backup.hpp"

namespace onceproxy::store {

inline constexpr const char* restored_name = "RESTORED";

/// Makes a store in `store` of the backup in `from`. With `replace`, the files of a store that is
/// there are removed first; otherwise that is an error, as is a store that a process has open.
/// After a crash on the way a start refuses the directory, and says why. What root writes is given
/// to the directory's owner. Throws std::runtime_error with a message for an operator.
BackupContents restore(const std::filesystem::path& from, const std::filesystem::path& store,
                       bool replace);

/// Above which fence a store begins that was restored, if its backup says `ceiling`: above those
/// that were given out after the backup, also by an earlier store that the same backup was restored
/// to. `now`: milliseconds since 1970.
std::uint64_t fence_after_restore(std::uint64_t ceiling, std::uint64_t now);

}  // namespace onceproxy::store
