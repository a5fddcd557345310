// The committer on the thread that submits: a small group that needs no sync is written at once.
#include <utility>

#include "store/rocksdb/committer.hpp"

namespace onceproxy::store {

using SteadyClock = std::chrono::steady_clock;

namespace {

/// If there are more than these, it is quicker to switch to the thread, which writes while the
/// caller continues.
constexpr std::size_t quick_operations_max = 8;
constexpr std::size_t quick_bytes_max = 64 * 1024;

}  // namespace

/// False: nothing was done, and the thread is to do it.
bool Committer::commit_here() {
  const std::unique_lock lock(writing_, std::try_to_lock);
  if (!lock.owns_lock() || failing() || put_back_) return false;
  if (finishing_.load(std::memory_order_acquire) || !is_quick(queue_.peek())) return false;
  OperationList group = queue_.take();
  const auto begin = SteadyClock::now();
  std::size_t operations = 0;
  const rocksdb::Status status = write(group, operations, false);
  if (status.IsIncomplete()) {
    // It would have waited, and wrote nothing: also not what is known of time.
    kept_time_.reset();
    put_back_.emplace(std::move(group));
  } else {
    written(std::move(group), status, operations, begin);
  }
  if (put_back_ || failing()) queue_.wake();
  return true;
}

/// Neither long nor synced. What ends others reads their records, as does
/// what changes the ledger.
bool Committer::is_quick(const Operation* newest) const {
  std::size_t count = 0;
  std::size_t bytes = 0;
  for (const Operation* at = newest; at != nullptr; at = at->next) {
    ++count;
    bytes += at->bytes();
    if (count > quick_operations_max || bytes > quick_bytes_max || !at->ends.empty() ||
        at->ledger != nullptr || parts_.fences.ceiling_for(at->fence)) {
      return false;
    }
  }
  return count > 0;
}

}  // namespace onceproxy::store
