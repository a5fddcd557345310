// OperationList: operations in order, linked by their `next`; it owns them. Not thread-safe: one
// owner at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "store/rocksdb/operation.hpp"

namespace onceproxy::store {

class OperationList {
 public:
  OperationList() = default;
  /// Takes over what is linked from `first` on.
  explicit OperationList(Operation* first) : first_(first) {}
  OperationList(OperationList&& other) noexcept : first_(std::exchange(other.first_, nullptr)) {}
  OperationList& operator=(OperationList&&) = delete;
  ~OperationList() {
    while (pop_front() != nullptr) continue;
  }

  bool empty() const { return first_ == nullptr; }
  /// Null if it is empty; the others are found by `next`.
  const Operation* front() const { return first_; }
  Operation* front() { return first_; }

  /// Null if it is empty.
  std::unique_ptr<Operation> pop_front() {
    std::unique_ptr<Operation> operation(first_);
    if (operation != nullptr) first_ = std::exchange(operation->next, nullptr);
    return operation;
  }

  /// Takes off the front: at most so many operations and so many bytes, but one at least. Not of
  /// an empty list.
  OperationList cut(std::size_t count_max, std::size_t bytes_max) {
    Operation* last = first_;
    std::size_t count = 1;
    std::size_t bytes = last->bytes();
    while (last->next != nullptr && count < count_max) {
      bytes += last->next->bytes();
      if (bytes > bytes_max) break;
      last = last->next;
      ++count;
    }
    OperationList cut(first_);
    first_ = std::exchange(last->next, nullptr);
    return cut;
  }

 private:
  Operation* first_ = nullptr;
};

}  // namespace onceproxy::store
