#include "store/rocksdb/prepared_log.hpp"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include "store/rocksdb/log_view.hpp"
#include "store/rocksdb/noted_log.hpp"

namespace onceproxy::store {
namespace {

using rocksdb::IOStatus;
using rocksdb::Slice;

/// What direct I/O is aligned to. If sectors are larger the first write fails, and the log is
/// written as RocksDB does it.
constexpr std::size_t page = 4096;
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

IOStatus no_memory() {
  return IOStatus::IOError("no memory to write the log");
}

/// Memory that begins at a page, and grows by doubling.
class PageBuffer {
 public:
  char* data() const { return bytes_.get(); }

  /// Keeps the first `kept` bytes; all behind them may be anything. False if there is no memory.
  bool make_room(std::size_t size, std::size_t kept) {
    return size <= capacity_ || replace(std::max<std::size_t>(up(size), 2 * capacity_), kept);
  }
  /// Less than a page is kept. If there is no memory for less, all of it stays.
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
  PreparedLog(int file, Noting noting) : file_(file), noting_(noting) {}
  ~PreparedLog() override {
    if (file_ >= 0) ::close(file_);
  }
  PreparedLog(const PreparedLog&) = delete;
  PreparedLog& operator=(const PreparedLog&) = delete;

  /// Prepares the first log_piece, and so learns whether the file system can do it.
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
    if (status.ok()) status = noting_.note(size_);
    if (status.ok() && ::ftruncate(file_, static_cast<off_t>(size_)) != 0) {
      status = log_failure("truncating the log", errno);
    }
    ::close(std::exchange(file_, -1));
    return status;
  }
  std::uint64_t GetFileSize(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    return size_;
  }
  /// In one stretch, if the file system has one. No more than a wish.
  IOStatus Allocate(std::uint64_t offset, std::uint64_t size, const rocksdb::IOOptions&,
                    rocksdb::IODebugContext*) override {
    if (::fallocate(file_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                    static_cast<off_t>(size)) == 0) {
      return IOStatus::OK();
    }
    return log_failure("allocating the log", errno);
  }

 private:
  /// Whole pages, the last one filled up with zeros; and where the file ends, a further log_piece.
  IOStatus write_out() {
    const std::size_t used = size_ - start_;
    const std::size_t pages = up(used);
    if (!buffer_.make_room(std::max(pages, page), used)) return no_memory();
    std::memset(buffer_.data() + used, 0, pages - used);
    std::array<iovec, log_piece / zeros.size() + 1> parts;
    std::size_t count = 0;
    if (pages != 0) parts[count++] = {buffer_.data(), pages};
    std::uint64_t end = start_ + pages;
    if (end > prepared_ || prepared_ == 0) {
      for (std::size_t i = 0; i < log_piece / zeros.size(); ++i, end += zeros.size()) {
        parts[count++] = {zeros.data(), zeros.size()};
      }
    }
    if (const IOStatus status = write(parts.data(), count, end - start_); !status.ok())
      return status;
    if (end > prepared_) {
      // The first log_piece is noted by the creator of the file, once its name is on disk.
      if (prepared_ != 0) {
        if (const IOStatus status = noting_.note(end); !status.ok()) return status;
      }
      prepared_ = end;
    }
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
    if (written < 0) return log_failure("writing the log", errno);
    // A direct write is short if the disk is full.
    if (static_cast<std::size_t>(written) != bytes) return log_failure("writing the log", ENOSPC);
    return IOStatus::OK();
  }

  std::mutex mutex_;
  int file_;
  Noting noting_;
  /// Of the log; what of it is on disk; and the file's.
  std::uint64_t size_ = 0;
  std::uint64_t synced_ = 0;
  std::uint64_t prepared_ = 0;
  /// From `start_`, the beginning of a page, to `size_`.
  PageBuffer buffer_;
  std::uint64_t start_ = 0;
};

bool is_log(const std::string& name) {
  return name.ends_with(".log");
}

bool is_manifest(const std::string& name) {
  return name.compare(name.rfind('/') + 1, 9, "MANIFEST-") == 0;
}

/// Of a path that ends in "<number>.log".
std::uint64_t log_number(const std::string& name) {
  const std::size_t begin = name.rfind('/') + 1;
  std::uint64_t number = 0;
  std::from_chars(name.data() + begin, name.data() + name.size(), number);
  return number;
}

}  // namespace

IOStatus PreparedLogs::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* result,
                                       rocksdb::IODebugContext* debug) {
  if (!is_log(name)) return FileSystemWrapper::NewWritableFile(name, options, result, debug);
  // A file of this name, if there is one, ends here.
  if (const IOStatus status = forget(name); !status.ok()) return status;
  if (prepare_) {
    const int file =
        ::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT | O_DSYNC | O_CLOEXEC, 0600);
    if (file >= 0) {
      auto log = std::make_unique<PreparedLog>(file, Noting(notes_, log_number(name), true));
      if (log->begin().ok()) {
        *result = std::move(log);
        return note_new(name, {log_piece, true});
      }
    }
  }
  const IOStatus status = FileSystemWrapper::NewWritableFile(name, options, result, debug);
  if (!status.ok() || notes_ == nullptr) return status;
  *result = noted_log(std::move(*result), Noting(notes_, log_number(name), prepare_));
  return note_new(name, {0, prepare_});
}

IOStatus PreparedLogs::note_new(const std::string& name, LogNotes::Note note) {
  if (notes_ == nullptr) return IOStatus::OK();
  const std::error_code error = notes_->note_new(log_number(name), note);
  return error ? log_failure("noting a new log", error.value()) : IOStatus::OK();
}

IOStatus PreparedLogs::forget(const std::string& name) {
  if (notes_ == nullptr) return IOStatus::OK();
  const std::error_code error = notes_->forget(log_number(name));
  return error ? log_failure("taking back the note of a log", error.value()) : IOStatus::OK();
}

IOStatus PreparedLogs::DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                                  rocksdb::IODebugContext* debug) {
  if (is_log(name)) {
    if (const IOStatus status = forget(name); !status.ok()) return status;
  }
  return FileSystemWrapper::DeleteFile(name, options, debug);
}

IOStatus PreparedLogs::NewSequentialFile(const std::string& name,
                                         const rocksdb::FileOptions& options,
                                         std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                         rocksdb::IODebugContext* debug) {
  const IOStatus status = FileSystemWrapper::NewSequentialFile(name, options, result, debug);
  if (!find_ends_) return status;
  if (status.ok() && is_manifest(name)) *result = view_of_manifest(std::move(*result), name);
  if (!status.ok() || !is_log(name)) return status;
  std::optional<std::uint64_t> synced;
  if (notes_ != nullptr) {
    const auto note = notes_->find(log_number(name));
    if (note && !note->strict) synced = note->bytes;
  }
  *result = view_of_log(std::move(*result), name, synced);
  return status;
}

}  // namespace onceproxy::store
