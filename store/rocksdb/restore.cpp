#include "store/rocksdb/restore.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "store/rocksdb/directory_lock.hpp"
#include "store/rocksdb/log_notes.hpp"
#include "store/rocksdb/ownership.hpp"

namespace onceproxy::store {
namespace {

namespace fs = std::filesystem;

/// 128,000 a second are far more than a store gives out, and few enough that a fence stays a number
/// that JSON's readers can hold. Milliseconds, because a store may be restored twice in a second.
constexpr int fences_per_millisecond_bits = 7;
constexpr std::uint64_t fences_at_least = std::uint64_t{1} << 32;

[[noreturn]] void refuse(const fs::path& path, const std::string& what, const std::string& way) {
  throw std::runtime_error("store " + path.string() + ": " + what + "; " + way);
}

/// Files of a database, and of the store beside it. LOCK stays: it is only a lock.
bool is_of_a_store(const std::string& name) {
  constexpr std::array<std::string_view, 4> names{"CURRENT", "IDENTITY", LogNotes::name,
                                                  restored_name};
  constexpr std::array<std::string_view, 2> begins{"MANIFEST-", "OPTIONS-"};
  constexpr std::array<std::string_view, 4> ends{".log", ".sst", ".blob", ".dbtmp"};
  return std::ranges::find(names, name) != names.end() ||
         std::ranges::any_of(begins, [&](auto part) { return name.starts_with(part); }) ||
         std::ranges::any_of(ends, [&](auto part) { return name.ends_with(part); });
}

/// Of a store; those of the audit log with their folder.
std::vector<fs::path> store_files(const fs::path& store) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(store)) {
    if (is_of_a_store(entry.path().filename().string())) found.push_back(entry.path());
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(store / "audit", error)) {
    if (entry.path().extension() == ".audit") found.push_back(entry.path());
  }
  return found;
}

void lock(DirectoryLock& directory) {
  const auto holder = directory.take();
  if (!holder) return;
  const std::string process =
      holder->process > 0 ? " (" + std::to_string(holder->process) + ")" : std::string();
  refuse(directory.path(), "in use by another process" + process, "stop that process first");
}

/// First of all: with it and without CURRENT a start refuses, so that what a crash leaves is never
/// taken for a new store.
void mark_restored(const fs::path& store) {
  const int mark =
      ::open((store / restored_name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (mark < 0) refuse(store, "not writable", "let this user write to it");
  ::close(mark);
  backup::sync_directory(store);
}

/// CURRENT goes first and comes last: without it there is no store.
void remove_store(const fs::path& store, const std::vector<fs::path>& files) {
  fs::remove(store / "CURRENT");
  backup::sync_directory(store);
  for (const fs::path& file : files) {
    if (file.filename() != restored_name) fs::remove(file);
  }
}

void put_files(const fs::path& from, const fs::path& store, const BackupContents& contents) {
  const std::atomic<bool> never = false;
  for (const BackupContents::File& file : contents.files) {
    if (file.name == "CURRENT") continue;
    const fs::path to = store / file.name;
    if (to.parent_path() != store) fs::create_directories(to.parent_path());
    const bool table = file.name.ends_with(".sst") || file.name.ends_with(".blob");
    if (table && backup::link_file(from / file.name, to)) continue;
    backup::copy_file(from / file.name, to, file.bytes, never);
  }
  backup::sync_directory(store);
  backup::copy_file(from / "CURRENT", store / "CURRENT", fs::file_size(from / "CURRENT"), never);
  backup::sync_directory(store);
}

}  // namespace

BackupContents restore(const fs::path& from, const fs::path& store, bool replace) {
  BackupContents contents = backup::read(from);
  fs::create_directories(store);
  const GivenToOwner given(store);
  DirectoryLock directory(store);
  lock(directory);
  const std::vector<fs::path> present = store_files(store);
  if (!present.empty() && !replace) {
    refuse(store, "there is a store already (" + present.front().filename().string() + ")",
           "choose another path, or replace it with --force: what it knows is lost");
  }
  mark_restored(store);
  remove_store(store, present);
  put_files(from, store, contents);
  return contents;
}

std::uint64_t fence_after_restore(std::uint64_t ceiling, std::uint64_t now) {
  return std::max(ceiling + fences_at_least, now << fences_per_millisecond_bits);
}

}  // namespace onceproxy::store
