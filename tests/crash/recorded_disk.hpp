// RecordedDisk: what a program asks the kernel to do with the files of one directory, in order, so
// that a test can make of it every state that a power cut may leave (power_cut.hpp).
//
// It stands below everything, RocksDB included: the program that links it gets open, write, fsync
// and their like from here and not from libc. They do what libc's do, but nothing is really synced,
// in no directory: that is what a power cut would show, and the test makes its own. Without
// O_DIRECT, too, which changes nothing of what is promised.
//
// One recording at a time. What is asked for by several threads is done one after the other.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace onceproxy::store::crash {

/// By name, relative to the directory.
using Files = std::map<std::string, std::string>;

struct DiskEvent {
  enum class Kind {
    create,          ///< `name` is `file` from now on
    write,           ///< `bytes` at `number` of `file`
    resize,          ///< `file` has `number` bytes
    sync,            ///< everything of `file` is on disk
    rename,          ///< `name` is called `to`
    unlink,          ///< `name` is gone
    sync_directory,  ///< the names in the directory `name` are on disk
    mark,            ///< the test's own: `number`, `file`, `more`
  };
  Kind kind;
  std::size_t file = 0;
  std::uint64_t number = 0;
  std::uint64_t more = 0;
  std::string name = {};
  std::string to = {};
  std::string bytes = {};
};

/// From now on, for `directory`, in which `initial` lies already, as file 0 and so on.
void start_recording(const std::filesystem::path& directory, const Files& initial);
void mark(std::uint64_t number, std::size_t stage, std::uint64_t more = 0);
std::vector<DiskEvent> stop_recording();

/// The directory's files, those in directories of it too.
Files read_files(const std::filesystem::path& directory);
/// A new directory with these.
void write_files(const std::filesystem::path& directory, const Files& files);

}  // namespace onceproxy::store::crash
