#include "store/postgres/waits.hpp"

namespace onceproxy::store {

void Waits::add(const Name& name, WaitingCall& waiter) {
  const std::lock_guard lock(mutex_);
  waiting_[name].push_back(waiter);
  count_.fetch_add(1);
}

void Waits::remove(const Name& name, WaitingCall& waiter) {
  const std::lock_guard lock(mutex_);
  if (!waiter.is_linked()) return;
  const auto found = waiting_.find(name);
  found->second.erase(found->second.iterator_to(waiter));
  if (found->second.empty()) waiting_.erase(found);
  count_.fetch_sub(1);
}

bool Waits::quiet(const WaitingCall& waiter) {
  const std::lock_guard lock(mutex_);
  return !waiter.on_its_way_;
}

void Waits::resumed(WaitingCall& waiter) {
  const std::lock_guard lock(mutex_);
  waiter.on_its_way_ = false;
}

void Waits::wake(const Name& name) {
  if (count_.load() == 0) return;
  const std::lock_guard lock(mutex_);
  const auto found = waiting_.find(name);
  if (found == waiting_.end()) return;
  for (WaitingCall& waiter : found->second) {
    if (waiter.on_its_way_) continue;
    waiter.on_its_way_ = true;
    waiter.next = nullptr;
    waiter.home.deliver(&waiter);
    return;
  }
}

void Waits::wake_all() {
  const std::lock_guard lock(mutex_);
  for (auto& [name, waiters] : waiting_) {
    for (WaitingCall& waiter : waiters) {
      if (waiter.on_its_way_) continue;
      waiter.on_its_way_ = true;
      waiter.next = nullptr;
      waiter.home.deliver(&waiter);
    }
  }
}

}  // namespace onceproxy::store
