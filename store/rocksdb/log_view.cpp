#include "store/rocksdb/log_view.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "store/rocksdb/log_end.hpp"

namespace onceproxy::store {
namespace {

using rocksdb::IOStatus;
using rocksdb::Slice;

/// RocksDB passes over zeros without a word: if the log is damaged, it gets to see it.
class LogView final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  LogView(std::unique_ptr<rocksdb::FSSequentialFile> file, LogEnd end)
      : FSSequentialFileOwnerWrapper(std::move(file)), end_(end) {}

  IOStatus Read(std::size_t size, const rocksdb::IOOptions& options, Slice* result, char* scratch,
                rocksdb::IODebugContext* debug) override {
    if (!end_.damage) size = std::min<std::uint64_t>(size, end_.at - std::min(end_.at, position_));
    const IOStatus status =
        FSSequentialFileOwnerWrapper::Read(size, options, result, scratch, debug);
    if (!status.ok()) return status;
    if (end_.damage) spoil(*result, scratch);
    position_ += result->size();
    return status;
  }
  IOStatus Skip(std::uint64_t size) override {
    position_ += size;
    return FSSequentialFileOwnerWrapper::Skip(size);
  }

 private:
  /// A fragment's type is its seventh byte. No fragment has this one.
  void spoil(Slice& read, char* scratch) const {
    const std::uint64_t type_at = *end_.damage + 6;
    if (type_at < position_ || type_at - position_ >= read.size()) return;
    if (read.data() != scratch) std::memcpy(scratch, read.data(), read.size());
    scratch[type_at - position_] = static_cast<char>(0xFF);
    read = Slice(scratch, read.size());
  }

  const LogEnd end_;
  std::uint64_t position_ = 0;
};

template <typename EndOf>
std::optional<LogEnd> read_end(const std::string& name, EndOf end_of) {
  const int file = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  struct stat status {};
  const bool known = ::fstat(file, &status) == 0 && status.st_size > 0;
  const auto size = known ? static_cast<std::size_t>(status.st_size) : 0;
  void* const mapped = known ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
  ::close(file);
  if (mapped == MAP_FAILED) return std::nullopt;
  ::madvise(mapped, size, MADV_SEQUENTIAL);
  const LogEnd end = end_of(std::string_view(static_cast<const char*>(mapped), size));
  ::munmap(mapped, size);
  return end;
}

template <typename EndOf>
std::unique_ptr<rocksdb::FSSequentialFile> view_of(std::unique_ptr<rocksdb::FSSequentialFile> file,
                                                   const std::string& name, EndOf end_of) {
  const auto end = read_end(name, end_of);
  if (!end) return file;
  return std::make_unique<LogView>(std::move(file), *end);
}

}  // namespace

std::unique_ptr<rocksdb::FSSequentialFile> view_of_log(
    std::unique_ptr<rocksdb::FSSequentialFile> file, const std::string& name,
    std::optional<std::uint64_t> synced) {
  return view_of(std::move(file), name,
                 [&](std::string_view log) { return end_of_log(log, synced); });
}

std::unique_ptr<rocksdb::FSSequentialFile> view_of_manifest(
    std::unique_ptr<rocksdb::FSSequentialFile> file, const std::string& name) {
  return view_of(std::move(file), name, end_of_manifest);
}

}  // namespace onceproxy::store
