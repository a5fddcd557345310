// EventWatch: passes on which deliveries became pending (LedgerWatch). Thread-safe. The mutex is
// held during the notification, so that the previous watch is not called any more when watch() has
// returned.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>

#include "store/ledger.hpp"

namespace onceproxy::store {

class EventWatch {
 public:
  void watch(LedgerWatch* watch) {
    const std::lock_guard lock(mutex_);
    watch_ = watch;
  }
  void stored(std::shared_ptr<const Event> event, std::span<const std::string> listeners) {
    const std::lock_guard lock(mutex_);
    if (watch_ != nullptr) watch_->stored(std::move(event), listeners);
  }
  void redriven(const DeliveryKey& key) {
    const std::lock_guard lock(mutex_);
    if (watch_ != nullptr) watch_->redriven(key);
  }

 private:
  std::mutex mutex_;
  LedgerWatch* watch_ = nullptr;
};

}  // namespace onceproxy::store
