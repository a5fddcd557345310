#include "store/prepared_log.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include "store/log_end.hpp"

namespace onceproxy::store {
namespace {

using rocksdb::IOStatus;
using rocksdb::Slice;

/// What direct I/O is aligned to. Where sectors are larger the first write fails, and the log is
/// written as RocksDB does it.
constexpr std::size_t page = 4096;
/// The file is prepared in pieces of this size: some thirty syncs of a busy store, or all of a
/// quiet one.
constexpr std::size_t piece = std::size_t{1} << 20;
/// A buffer that a large group made larger than this is given back.
constexpr std::size_t buffer_kept = std::size_t{1} << 20;

constexpr std::uint64_t down(std::uint64_t at) {
  return at / page * page;
}
constexpr std::uint64_t up(std::uint64_t at) {
  return down(at + page - 1);
}

/// Written out as often as it takes, and never written to: iovec knows no constants.
alignas(page) std::array<char, 64 * 1024> zeros;

IOStatus failed(const char* what, int number) {
  const std::string reason = std::string(what) + ": " + std::strerror(number);
  return number == ENOSPC || number == EDQUOT ? IOStatus::NoSpace(reason)
                                              : IOStatus::IOError(reason);
}

IOStatus no_memory() {
  return IOStatus::IOError("no memory to write the log");
}

/// Memory that begins at a page, and grows by doubling.
class PageBuffer {
 public:
  char* data() const { return bytes_.get(); }

  /// Keeps the first `kept` bytes; all behind them may be anything. False where there is no memory.
  bool make_room(std::size_t size, std::size_t kept) {
    return size <= capacity_ || replace(std::max<std::size_t>(up(size), 2 * capacity_), kept);
  }
  /// Less than a page is kept. Where there is no memory for less, all of it stays.
  void give_back(std::size_t kept) {
    if (capacity_ > buffer_kept) replace(page, kept);
  }

 private:
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };

  bool replace(std::size_t capacity, std::size_t kept) {
    std::unique_ptr<char, Free> bytes(static_cast<char*>(std::aligned_alloc(page, capacity)));
    if (!bytes) return false;
    if (kept != 0) std::memcpy(bytes.get(), bytes_.get(), kept);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
    return true;
  }

  std::unique_ptr<char, Free> bytes_;
  std::size_t capacity_ = 0;
};

class PreparedLog final : public rocksdb::FSWritableFile {
 public:
  explicit PreparedLog(int file) : file_(file) {}
  ~PreparedLog() override {
    if (file_ >= 0) ::close(file_);
  }
  PreparedLog(const PreparedLog&) = delete;
  PreparedLog& operator=(const PreparedLog&) = delete;

  /// Prepares the first piece, and so learns whether the file system can do it.
  IOStatus begin() { return write_out(); }

  IOStatus Append(const Slice& data, const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    const std::size_t before = size_ - start_;
    if (!buffer_.make_room(before + data.size(), before)) return no_memory();
    std::memcpy(buffer_.data() + before, data.data(), data.size());
    size_ += data.size();
    return IOStatus::OK();
  }
  IOStatus Append(const Slice& data, const rocksdb::IOOptions& options,
                  const rocksdb::DataVerificationInfo&, rocksdb::IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Flush(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return IOStatus::OK();
  }
  IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    return size_ == synced_ ? IOStatus::OK() : write_out();
  }
  /// RocksDB syncs logs from other threads too, all of them when it flushes and closes.
  bool IsSyncThreadSafe() const override { return true; }
  IOStatus Close(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    IOStatus status = Sync(options, debug);
    const std::lock_guard lock(mutex_);
    if (status.ok() && ::ftruncate(file_, static_cast<off_t>(size_)) != 0) {
      status = failed("truncating the log", errno);
    }
    ::close(std::exchange(file_, -1));
    return status;
  }
  std::uint64_t GetFileSize(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    return size_;
  }
  /// In one stretch, where the file system has one. No more than a wish.
  IOStatus Allocate(std::uint64_t offset, std::uint64_t size, const rocksdb::IOOptions&,
                    rocksdb::IODebugContext*) override {
    if (::fallocate(file_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                    static_cast<off_t>(size)) == 0) {
      return IOStatus::OK();
    }
    return failed("allocating the log", errno);
  }

 private:
  /// Whole pages, the last one filled up with zeros; and where the file ends, a further piece.
  IOStatus write_out() {
    const std::size_t used = size_ - start_;
    const std::size_t pages = up(used);
    if (!buffer_.make_room(std::max(pages, page), used)) return no_memory();
    std::memset(buffer_.data() + used, 0, pages - used);
    std::array<iovec, piece / zeros.size() + 1> parts;
    std::size_t count = 0;
    if (pages != 0) parts[count++] = {buffer_.data(), pages};
    std::uint64_t end = start_ + pages;
    if (end > prepared_ || prepared_ == 0) {
      for (std::size_t i = 0; i < piece / zeros.size(); ++i, end += zeros.size()) {
        parts[count++] = {zeros.data(), zeros.size()};
      }
    }
    if (const IOStatus status = write(parts.data(), count, end - start_); !status.ok())
      return status;
    prepared_ = std::max(prepared_, end);
    synced_ = size_;
    // The last page is written again with what comes next.
    const std::uint64_t kept = down(size_);
    std::memmove(buffer_.data(), buffer_.data() + (kept - start_), size_ - kept);
    start_ = kept;
    buffer_.give_back(size_ - kept);
    return IOStatus::OK();
  }

  IOStatus write(const iovec* parts, std::size_t count, std::size_t bytes) {
    ssize_t written = 0;
    do {
      written = ::pwritev(file_, parts, static_cast<int>(count), static_cast<off_t>(start_));
    } while (written < 0 && errno == EINTR);
    if (written < 0) return failed("writing the log", errno);
    // A direct write ends early where the disk does.
    if (static_cast<std::size_t>(written) != bytes) return failed("writing the log", ENOSPC);
    return IOStatus::OK();
  }

  std::mutex mutex_;
  int file_;
  /// Of the log; what of it is on disk; and the file's.
  std::uint64_t size_ = 0;
  std::uint64_t synced_ = 0;
  std::uint64_t prepared_ = 0;
  /// From `start_`, the beginning of a page, to `size_`.
  PageBuffer buffer_;
  std::uint64_t start_ = 0;
};

/// A log as it is to be read: up to its end, or where it is damaged whole and in a way that RocksDB
/// sees too, which passes over zeros without a word.
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

bool is_log(const std::string& name) {
  return name.ends_with(".log");
}

/// Nothing where the file cannot be read, which whoever opens it next will say better.
std::optional<LogEnd> read_end(const std::string& name) {
  const int file = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  struct stat status {};
  const bool known = ::fstat(file, &status) == 0 && status.st_size > 0;
  const auto size = known ? static_cast<std::size_t>(status.st_size) : 0;
  void* const mapped = known ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
  ::close(file);
  if (mapped == MAP_FAILED) return std::nullopt;
  ::madvise(mapped, size, MADV_SEQUENTIAL);
  const LogEnd end = end_of_log({static_cast<const char*>(mapped), size});
  ::munmap(mapped, size);
  return end;
}

}  // namespace

IOStatus PreparedLogs::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* result,
                                       rocksdb::IODebugContext* debug) {
  if (prepare_ && is_log(name)) {
    const int file =
        ::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT | O_DSYNC | O_CLOEXEC, 0644);
    if (file >= 0) {
      auto log = std::make_unique<PreparedLog>(file);
      if (log->begin().ok()) {
        *result = std::move(log);
        return IOStatus::OK();
      }
    }
  }
  return FileSystemWrapper::NewWritableFile(name, options, result, debug);
}

IOStatus PreparedLogs::NewSequentialFile(const std::string& name,
                                         const rocksdb::FileOptions& options,
                                         std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                         rocksdb::IODebugContext* debug) {
  const IOStatus status = FileSystemWrapper::NewSequentialFile(name, options, result, debug);
  if (!status.ok() || !is_log(name)) return status;
  if (const auto end = read_end(name)) {
    *result = std::make_unique<LogView>(std::move(*result), *end);
  }
  return status;
}

}  // namespace onceproxy::store
