// AuditPad: where one thread notes its refusals, so that a duplicate costs neither a lock nor a
// wake. Its owner hands it over a few times a second; what was not handed over yet is lost
// with the process.
// Not thread-safe: one owner.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "store/audit/log.hpp"

namespace onceproxy::store {

class AuditPad {
 public:
  /// `log` outlives the pad. Null: there is none, and nothing is noted.
  explicit AuditPad(AuditLog* log) : log_(log) {
    if (log_ != nullptr) entries_.reserve(full);
  }

  bool wanted() const { return log_ != nullptr; }

  void note(const AuditRefusal& refusal) {
    if (log_ == nullptr) return;
    append(entries_, refusal);
    ++count_;
    if (entries_.size() > full - audit_entry_bytes_max) hand_over();
  }

  void hand_over() {
    if (count_ == 0) return;
    std::string entries;
    entries.reserve(full);
    entries.swap(entries_);
    log_->hand_over(std::move(entries), std::exchange(count_, 0));
  }

 private:
  static constexpr std::size_t full = std::size_t{64} << 10;

  AuditLog* const log_;
  std::string entries_;
  std::size_t count_ = 0;
};

}  // namespace onceproxy::store
