#include "store/rocksdb/space.hpp"

#include <filesystem>
#include <system_error>

namespace onceproxy::store {
namespace {

/// Tables, blobs, log and all the rest. Files come and go meanwhile; those that are gone count 0.
std::uint64_t bytes_in(const std::filesystem::path& directory) {
  std::uint64_t sum = 0;
  std::error_code error;
  std::filesystem::directory_iterator files(directory, error);
  for (const std::filesystem::directory_iterator end; !error && files != end;
       files.increment(error)) {
    std::error_code gone;
    const std::uintmax_t size = files->file_size(gone);
    if (!gone) sum += size;
  }
  return sum;
}

}  // namespace

Space::Space(const RocksDbOptions& options, const Tuning& tuning, const Database& database,
             const Clock& clock, const RocksDbObserver& observer)
    : options_(options), tuning_(tuning), database_(database), clock_(clock), observer_(observer) {}

Space::~Space() {
  stop_reclaiming();
}

void Space::measure() {
  const std::uint64_t bytes = bytes_in(options_.path);
  bytes_.store(bytes, std::memory_order_relaxed);
  // A little below the cap before it counts as under: not one line a second at the border.
  const std::uint64_t under = options_.bytes_max - options_.bytes_max / 20;
  const bool was_full = full();
  const bool is_full = was_full ? bytes > under : bytes > options_.bytes_max;
  full_.store(is_full, std::memory_order_relaxed);
  if (is_full != was_full && observer_.event) {
    observer_.event(is_full ? "over the cap: new fingerprints are refused"
                            : "back under the cap: new fingerprints are taken again");
  }
  // While nothing may be purged it would rewrite everything for nothing.
  if (is_full && clock_.may_purge()) start_reclaiming();
}

void Space::start_reclaiming() {
  const auto now = std::chrono::steady_clock::now();
  if (running_.load(std::memory_order_acquire) || now < next_reclaiming_) return;
  if (reclaiming_.joinable()) reclaiming_.join();
  next_reclaiming_ = now + tuning_.reclaim_pause;
  stop_.store(false);
  running_.store(true);
  // A separate thread: it takes minutes, and the committer must not wait.
  reclaiming_ = std::thread([this] {
    const rocksdb::Status status = database_.reclaim(stop_);
    if (status.ok() && observer_.event) observer_.event("compaction: expired records reclaimed");
    if (!status.ok() && !stop_.load() && observer_.failed) {
      observer_.failed("compact", status.ToString());
    }
    running_.store(false, std::memory_order_release);
  });
}

void Space::stop_reclaiming() {
  stop_.store(true);
  if (reclaiming_.joinable()) reclaiming_.join();
}

}  // namespace onceproxy::store
