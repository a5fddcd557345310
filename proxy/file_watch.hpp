// FileWatch: detects by polling that a file was replaced or changed. It checks the file to which
// the path leads. Therefore it detects a ConfigMap's swapped link, a file that was renamed over the
// old one, and a file that was written in place, on every file system. inotify does not detect the
// first, and nothing on network file systems.
//
// It does not read the content; the caller decides whether a change matters. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace onceproxy {

class FileWatch {
 public:
  explicit FileWatch(std::string path) : path_(std::move(path)) {}

  enum class Seen {
    nothing,
    changed,  ///< another file since last told, and the same at two looks in a row
    gone,     ///< there is none, or none that can be watched, since this look
  };
  /// The first two checks return `changed`, or the first returns `gone`. A file that is being
  /// written is reported as changed at each check; a pipe or a device cannot be watched.
  Seen look();

 private:
  struct Identity {
    bool there = false;
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::uint64_t modified = 0;
    /// The change time of the inode, which also shows an edit that restores size and modification
    /// time.
    std::uint64_t changed = 0;
    bool operator==(const Identity&) const = default;
  };
  Identity identity() const;

  const std::string path_;
  Identity last_;
  bool looked_ = false;
  bool unsettled_ = false;
};

}  // namespace onceproxy
