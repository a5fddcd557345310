#include "store/rocksdb/noted_log.hpp"

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace onceproxy::store {

using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

class GrowingLog final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  GrowingLog(std::unique_ptr<rocksdb::FSWritableFile> file, Noting noting)
      : FSWritableFileOwnerWrapper(std::move(file)), noting_(noting) {}

  IOStatus Append(const Slice& data, const rocksdb::IOOptions& options,
                  rocksdb::IODebugContext* debug) override {
    const IOStatus status = FSWritableFileOwnerWrapper::Append(data, options, debug);
    if (status.ok()) size_.fetch_add(data.size());
    return status;
  }
  IOStatus Append(const Slice& data, const rocksdb::IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  rocksdb::IODebugContext* debug) override {
    const IOStatus status = FSWritableFileOwnerWrapper::Append(data, options, verification, debug);
    if (status.ok()) size_.fetch_add(data.size());
    return status;
  }
  IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    const std::uint64_t size = size_.load();
    return noted(FSWritableFileOwnerWrapper::Sync(options, debug), size);
  }
  IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    const std::uint64_t size = size_.load();
    return noted(FSWritableFileOwnerWrapper::Fsync(options, debug), size);
  }

 private:
  /// `size` is what there was before the sync.
  IOStatus noted(IOStatus status, std::uint64_t size) {
    const std::lock_guard lock(mutex_);
    if (!status.ok() || size < noted_ + log_piece) return status;
    status = noting_.note(size);
    if (status.ok()) noted_ = size;
    return status;
  }

  std::atomic<std::uint64_t> size_{0};
  std::mutex mutex_;
  Noting noting_;
  std::uint64_t noted_ = 0;
};

}  // namespace

IOStatus log_failure(const char* what, int number) {
  const std::string reason = std::string(what) + ": " + std::generic_category().message(number);
  return number == ENOSPC || number == EDQUOT ? IOStatus::NoSpace(reason)
                                              : IOStatus::IOError(reason);
}

IOStatus Noting::note(std::uint64_t bytes) {
  if (notes_ == nullptr) return IOStatus::OK();
  const std::error_code error = notes_->note(log_, {bytes, strict_});
  return error ? log_failure("noting the log's length", error.value()) : IOStatus::OK();
}

std::unique_ptr<rocksdb::FSWritableFile> noted_log(std::unique_ptr<rocksdb::FSWritableFile> file,
                                                   Noting noting) {
  return std::make_unique<GrowingLog>(std::move(file), noting);
}

}  // namespace onceproxy::store
