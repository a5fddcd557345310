// What RocksDB says by itself, from its own threads: failures in the background, and its log.
// Internal to the store. Thread-safe.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/listener.h>

#include <array>
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <string>

#include "store/rocksdb/observer.hpp"

namespace onceproxy::store {

class BackgroundFailures final : public rocksdb::EventListener {
 public:
  explicit BackgroundFailures(const RocksDbObserver& observer) : observer_(observer) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override {
    // A failed write reports itself to the committer, which counts it there.
    if (reason == rocksdb::BackgroundErrorReason::kWriteCallback) return;
    seen_.store(true, std::memory_order_release);
    if (observer_.failed) observer_.failed("background", error->ToString());
  }
  bool seen() const { return seen_.load(std::memory_order_acquire); }
  void forget() { seen_.store(false, std::memory_order_release); }

 private:
  const RocksDbObserver& observer_;
  std::atomic<bool> seen_{false};
};

/// Takes the place of RocksDB's LOG file. That one is not only a second log to look after: once a
/// full disk has failed a line of it, the next line ends the process in a library built with
/// assertions, as Debian's is.
class DatabaseLog final : public rocksdb::Logger {
 public:
  explicit DatabaseLog(const RocksDbObserver& observer)
      : Logger(rocksdb::InfoLogLevel::ERROR_LEVEL), observer_(observer) {}

  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    if (!observer_.event) return;
    std::array<char, 512> line;
    const int size = std::vsnprintf(line.data(), line.size(), format, arguments);
    if (size > 0) observer_.event(std::string("rocksdb: ") + line.data());
  }

 private:
  const RocksDbObserver& observer_;
};

}  // namespace onceproxy::store
