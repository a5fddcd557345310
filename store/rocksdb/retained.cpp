#include "store/rocksdb/retained.hpp"

#include <iterator>
#include <utility>

namespace onceproxy::store {

void Retained::start() {
  const std::lock_guard lock(mutex_);
  active_.store(true, std::memory_order_release);
}

Retained::KeepResult Retained::keep(std::unique_ptr<Operation>& operation) {
  const std::lock_guard lock(mutex_);
  if (!active_.load(std::memory_order_relaxed)) return KeepResult::inactive;
  const std::size_t bytes = operation->bytes();
  if (settlements_ >= operations_max_ || bytes_ + bytes > bytes_max_) return KeepResult::no_room;
  ++settlements_;
  bytes_ += bytes;
  operations_.push_back(std::move(operation));
  return KeepResult::yes;
}

void Retained::doubt(std::unique_ptr<Operation> operation) {
  const std::lock_guard lock(mutex_);
  operations_.push_back(std::move(operation));
}

std::vector<std::unique_ptr<Operation>> Retained::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(operations_, {});
}

void Retained::give_back(std::vector<std::unique_ptr<Operation>> operations) {
  const std::lock_guard lock(mutex_);
  operations_.insert(operations_.begin(), std::make_move_iterator(operations.begin()),
                     std::make_move_iterator(operations.end()));
}

bool Retained::finish() {
  const std::lock_guard lock(mutex_);
  if (!operations_.empty()) return false;
  settlements_ = 0;
  bytes_ = 0;
  active_.store(false, std::memory_order_release);
  return true;
}

}  // namespace onceproxy::store
