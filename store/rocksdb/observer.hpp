// RocksDbObserver: hears what happens in the embedded store. Plain functions.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string_view>

namespace onceproxy::store {

/// Called from the store's threads; must be thread-safe, quick and must not throw.
struct RocksDbObserver {
  /// A group was written: how long it took and how many operations it held.
  std::function<void(std::chrono::nanoseconds, std::size_t)> committed;
  /// A write, read, open or decode failed. `operation` is one of a small fixed set of words.
  std::function<void(std::string_view operation, std::string_view detail)> failed;
  /// A permit was dropped unused.
  std::function<void()> permit_dropped;
  /// An event worth a log line: reopened, over the cap, back under it, compaction, recovery, the
  /// clock.
  std::function<void(std::string_view)> event;
};

}  // namespace onceproxy::store
