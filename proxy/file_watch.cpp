#include "proxy/file_watch.hpp"

#include <sys/stat.h>

#include <utility>

namespace onceproxy {

namespace {

/// Different for different times. It wraps around, because files may have times that do not fit.
std::uint64_t nanoseconds(const timespec& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

FileWatch::Identity FileWatch::identity() const {
  struct stat found {};
  if (::stat(path_.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return {};
  return {true,
          found.st_dev,
          found.st_ino,
          found.st_size,
          nanoseconds(found.st_mtim),
          nanoseconds(found.st_ctim)};
}

FileWatch::Seen FileWatch::look() {
  const Identity now = identity();
  const bool first = !std::exchange(looked_, true);
  if (first || now != last_) {
    last_ = now;
    unsettled_ = now.there;
    return now.there ? Seen::nothing : Seen::gone;
  }
  return std::exchange(unsettled_, false) ? Seen::changed : Seen::nothing;
}

}  // namespace onceproxy
