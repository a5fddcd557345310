// LedgerClaims: the deliveries that are being attempted or changed, and the watch that is notified
// of pending deliveries. A claimed delivery cannot be claimed again until the attempt or change is
// over and its result is on disk. The size is limited by the number of attempts and changes under
// way. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>

#include "store/ledger.hpp"
#include "store/rocksdb/event_rows.hpp"

namespace onceproxy::store {

class LedgerClaims {
 public:
  /// False: the delivery is claimed already.
  bool take(const DeliveryKey& key) {
    const std::lock_guard lock(mutex_);
    return taken_.try_emplace(key).second;
  }
  /// Stores the row on disk for the holder of the claim, who alone changes it.
  void keep(const DeliveryKey& key, const PendingRow& row) {
    const std::lock_guard lock(mutex_);
    taken_[key] = row;
  }
  PendingRow kept(const DeliveryKey& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = taken_.find(key);
    return found == taken_.end() ? PendingRow() : found->second;
  }
  void release(const DeliveryKey& key) {
    const std::lock_guard lock(mutex_);
    taken_.erase(key);
  }

  void watch(LedgerWatch* watch) {
    const std::lock_guard lock(watch_mutex_);
    watch_ = watch;
  }
  void stored(const std::shared_ptr<const Event>& event, std::span<const std::string> listeners) {
    const std::lock_guard lock(watch_mutex_);
    if (watch_ != nullptr) watch_->stored(event, listeners);
  }
  void redriven(const DeliveryKey& key) {
    const std::lock_guard lock(watch_mutex_);
    if (watch_ != nullptr) watch_->redriven(key);
  }

 private:
  struct Hash {
    std::size_t operator()(const DeliveryKey& key) const {
      return std::hash<std::string>()(key.listener) ^
             static_cast<std::size_t>(key.event * 0x9e3779b97f4a7c15u);
    }
  };

  mutable std::mutex mutex_;
  std::unordered_map<DeliveryKey, PendingRow, Hash> taken_;
  /// Held during a notification.
  std::mutex watch_mutex_;
  LedgerWatch* watch_ = nullptr;
};

}  // namespace onceproxy::store
