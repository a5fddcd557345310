// FileWatch: tells when a file is another one than it was, by looking at it from time to time. What
// it looks at is what the path leads to, so that a ConfigMap's swapped link, a file renamed over
// the old one and a file written in place are all seen, on every file system; inotify sees none of
// the first and nothing of network file systems.
//
// It reads no content: whether a change means anything is for its caller to say.
// Not thread-safe.
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
  /// The first two looks end in `changed`, or the first in `gone`. A file that is being written is
  /// another one at each look; a pipe or a device cannot be watched.
  Seen look();

 private:
  struct Identity {
    bool there = false;
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified = 0;
    /// Of the inode: an edit that restores size and time of modification shows here.
    std::int64_t changed = 0;
    bool operator==(const Identity&) const = default;
  };
  Identity identity() const;

  const std::string path_;
  Identity last_;
  bool looked_ = false;
  bool unsettled_ = false;
};

}  // namespace onceproxy
