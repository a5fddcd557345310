#include "store/note_table.hpp"

namespace onceproxy::store {

void NoteTable::found(std::string name, std::string value) {
  const std::lock_guard lock(mutex_);
  if (value.empty()) return;
  if (all_.size() < notes_max && value.size() <= note_bytes_max) {
    all_.insert_or_assign(std::move(name), std::move(value));
  }
}

std::optional<std::string> NoteTable::note(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = all_.find(name);
  if (found == all_.end()) return std::nullopt;
  return found->second;
}

bool NoteTable::keep(std::string_view name, std::string value) {
  const std::lock_guard lock(mutex_);
  const auto found = all_.find(name);
  if (found != all_.end() && found->second == value) return true;
  if (value.size() > note_bytes_max) return false;
  if (found == all_.end() && all_.size() == notes_max) return false;
  all_.insert_or_assign(std::string(name), std::move(value));
  changed_.emplace(name);
  ++changes_;
  return true;
}

void NoteTable::forget(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = all_.find(name);
  if (found == all_.end()) return;
  changed_.emplace(name);
  ++changes_;
  all_.erase(found);
}

bool NoteTable::flush(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  const std::uint64_t wanted = changes_;
  return written_.wait_for(lock, patience, [&] { return changes_written_ >= wanted; });
}

std::vector<std::pair<std::string, std::string>> NoteTable::notes(std::string_view prefix) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, std::string>> out;
  for (auto it = all_.lower_bound(prefix); it != all_.end() && it->first.starts_with(prefix);
       ++it) {
    out.emplace_back(*it);
  }
  return out;
}

std::vector<std::pair<std::string, std::optional<std::string>>> NoteTable::take() {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, std::optional<std::string>>> out;
  for (const std::string& name : changed_) {
    const auto found = all_.find(name);
    out.emplace_back(name, found == all_.end() ? std::nullopt : std::optional(found->second));
  }
  // A name may be left from a take() that was not written.
  taken_.merge(std::exchange(changed_, {}));
  changes_taken_ = changes_;
  return out;
}

void NoteTable::written(bool good) {
  const std::lock_guard lock(mutex_);
  if (good) {
    changes_written_ = changes_taken_;
    written_.notify_all();
  } else {
    changed_.merge(taken_);
  }
  taken_.clear();
}

}  // namespace onceproxy::store
