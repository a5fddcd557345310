#include "store/audit/walk.hpp"

namespace onceproxy::store {

std::optional<AuditFrame> AuditWalk::next() {
  frame_ = lost_ ? search() : frame(bytes_.substr(next_));
  if (!frame_ && !lost_) frame_ = search();
  lost_ = false;
  if (frame_) {
    offset_ = next_;
    next_ += frame_->bytes.size();
  }
  return frame_;
}

std::optional<AuditEntry> AuditWalk::entry() {
  if (!frame_) return std::nullopt;
  auto entry = decode(*frame_);
  if (!entry && frame_->kind != AuditKind::other) {
    lost_ = true;
    next_ = offset_ + 1;
  }
  return entry;
}

/// From here on: the first place where an entry begins whose sum is right, too. One byte in 256
/// looks like the beginning of one by chance.
std::optional<AuditFrame> AuditWalk::search() {
  for (; next_ < bytes_.size(); ++next_) {
    auto found = frame(bytes_.substr(next_));
    if (found && decode(*found)) return found;
  }
  return std::nullopt;
}

}  // namespace onceproxy::store
