// AuditWalk: the entries of one segment's bytes, in order. Bytes that are not an entry are skipped,
// up to the next one that is whole: a torn write or a damaged sector costs what it hit and no more.
// Not thread-safe; the bytes must outlive it.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "store/audit/entry.hpp"

namespace onceproxy::store {

class AuditWalk {
 public:
  explicit AuditWalk(std::string_view bytes) : bytes_(bytes) {}

  /// The next entry's frame, undecoded; nothing at the end.
  std::optional<AuditFrame> next();
  /// Of the frame that next() gave last.
  std::size_t offset() const { return offset_; }
  /// Reads that entry. Nothing if its sum is wrong: next() then continues after its first byte,
  /// because its length may be wrong too.
  std::optional<AuditEntry> entry();

 private:
  std::optional<AuditFrame> search();

  std::string_view bytes_;
  std::optional<AuditFrame> frame_;
  std::size_t offset_ = 0;
  std::size_t next_ = 0;
  bool lost_ = false;
};

}  // namespace onceproxy::store
