// AuditSeries: one series of files of the audit log, <name>-<number>.audit in one directory,
// appended to at the end and forgotten from the beginning. It knows bytes and times, not what they
// say.
//
// What is appended survives the process as soon as append() returns, and the machine after the next
// sync(). No file is mapped: one that is truncated must not end the process.
//
// Thread-safe.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/wall_time.hpp"

namespace onceproxy::store {

struct AuditLimits {
  /// What the files of the series hold together; the oldest goes first.
  std::uint64_t bytes_max = 0;
  /// A file goes when its last entry is older. It takes entries for an eighth of this time.
  std::chrono::milliseconds retention{0};
};

class AuditSeries {
 public:
  /// What a file begins with, given the time of its first entries.
  using Heading = std::function<std::string(WallTime)>;

  AuditSeries(std::filesystem::path directory, std::string name, AuditLimits limits,
              Heading heading = {});
  ~AuditSeries();
  AuditSeries(const AuditSeries&) = delete;
  AuditSeries& operator=(const AuditSeries&) = delete;

  /// At startup: finds the files that are there. Throws std::system_error.
  void open();

  /// Appends whole entries with one write. Returns what went wrong; the entries are lost then, or
  /// cut short, and the next append goes to a new file.
  std::optional<std::string> append(std::string_view entries, WallTime now);

  /// What was appended before the call is on disk after it. Returns what went wrong.
  std::optional<std::string> sync();
  /// Looks whether what is appended to still has its name, and else begins a new file with the next
  /// append: what cannot be found is lost. Returns what was wrong.
  std::optional<std::string> check();
  /// Removes what is older than the retention, and makes room ahead of need, so that append()
  /// seldom has to.
  void expire(WallTime now);

  /// One file as it is now.
  struct File {
    std::uint64_t number = 0;
    /// Between these its entries were appended. 1970: unknown.
    WallTime begun{};
    WallTime ended{};
    std::uint64_t bytes = 0;
  };
  /// Oldest first.
  std::vector<File> files() const;
  /// Its bytes; nothing if it is gone or cannot be read.
  std::optional<std::string> read(std::uint64_t number) const;
  std::uint64_t bytes() const;

 private:
  class Descriptor;
  using Shared = std::shared_ptr<Descriptor>;

  std::filesystem::path path_of(std::uint64_t number) const;
  std::optional<std::string> begin_file(WallTime now);
  std::optional<std::string> open_last();
  bool make_directory_again() const;
  void forget_above(std::uint64_t bytes_max);
  void forget_first();

  const std::filesystem::path directory_;
  const std::string name_;
  const AuditLimits limits_;
  const Heading heading_;
  /// Of the directory that ours lies in, once ours is open.
  std::optional<std::pair<dev_t, ino_t>> parent_;
  /// Where a file ends and the next begins.
  const std::uint64_t file_bytes_max_;

  mutable std::mutex mutex_;
  std::deque<File> files_;
  std::uint64_t bytes_ = 0;
  Shared current_;  // the last file's; null: the next append begins a new one
  std::vector<Shared> unsynced_;
};

}  // namespace onceproxy::store
