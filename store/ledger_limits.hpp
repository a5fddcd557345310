// LedgerLimits: the options of the ledger as they are now, because a reload may change them while
// the store works. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "store/ledger_options.hpp"

namespace onceproxy::store {

class LedgerLimits {
 public:
  explicit LedgerLimits(const LedgerOptions& options) { set(options); }

  void set(const LedgerOptions& options) {
    dead_retention_.store(options.dead_retention);
    bytes_max_.store(options.bytes_max);
  }
  std::chrono::milliseconds dead_retention() const { return dead_retention_.load(); }
  std::uint64_t bytes_max() const { return bytes_max_.load(); }

 private:
  std::atomic<std::chrono::milliseconds> dead_retention_;
  std::atomic<std::uint64_t> bytes_max_;
};

}  // namespace onceproxy::store
