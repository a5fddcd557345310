#include "store/rocksdb/kept_notes.hpp"

namespace onceproxy::store {
namespace {

constexpr std::string_view prefix = "note ";

}  // namespace

void KeptNotes::read(const Database& database) {
  const std::lock_guard lock(mutex_);
  static_cast<void>(
      database.scan(Family::meta, prefix, [this](std::string_view key, std::string_view value) {
        if (!key.starts_with(prefix) || all_.size() == notes_max) return false;
        if (value.size() <= note_bytes_max) all_.emplace(key.substr(prefix.size()), value);
        return true;
      }));
}

std::optional<std::string> KeptNotes::note(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = all_.find(name);
  if (found == all_.end()) return std::nullopt;
  return found->second;
}

bool KeptNotes::keep(std::string_view name, std::string value) {
  const std::lock_guard lock(mutex_);
  const auto found = all_.find(name);
  if (found != all_.end() && found->second == value) return true;
  if (value.size() > note_bytes_max) return false;
  if (found == all_.end() && all_.size() == notes_max) return false;
  all_.insert_or_assign(std::string(name), std::move(value));
  changed_.emplace(name);
  return true;
}

std::vector<std::pair<std::string, std::string>> KeptNotes::take() {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& name : changed_) {
    out.emplace_back(std::string(prefix).append(name), all_.find(name)->second);
  }
  changed_.clear();
  return out;
}

}  // namespace onceproxy::store
