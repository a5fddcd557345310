#include "store/rocksdb/guarded_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace onceproxy::store {

using rocksdb::IOStatus;

namespace {

std::string file_name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

bool is_table(const std::string& name) {
  return name.ends_with(".sst") || name.ends_with(".blob");
}

/// Whether what was promised lies in it. RocksDB does without its other files.
bool is_relied_on(const std::string& name) {
  return is_table(name) || name.ends_with(".log") || name.starts_with("MANIFEST-") ||
         name == "CURRENT" || name == "LOCK";
}

}  // namespace

class GuardedFiles::Pin {
 public:
  explicit Pin(const std::string& path)
      : descriptor_(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)) {}
  ~Pin() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

 private:
  const int descriptor_;
};

std::optional<std::string> GuardedFiles::missing() const {
  if (auto problem = directory_.problem()) return problem;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, file] : files_) {
    struct stat status {};
    if (::stat(path_of(name).c_str(), &status) != 0) {
      if (errno == ENOENT) return name + " is gone";
      return name + " cannot be found (" + std::generic_category().message(errno) + ")";
    }
    if (status.st_dev != file.device || status.st_ino != file.inode) return name + " was replaced";
  }
  return std::nullopt;
}

IOStatus GuardedFiles::changeable() const {
  const auto problem = directory_.problem();
  return problem ? IOStatus::IOError(*problem) : IOStatus::OK();
}

std::string GuardedFiles::path_of(const std::string& name) const {
  return (directory_.path() / name).string();
}

void GuardedFiles::remember(const std::string& name) {
  const std::string path = path_of(name);
  struct stat status {};
  if (!is_relied_on(name) || ::stat(path.c_str(), &status) != 0) return;
  files_[name] = {status.st_dev, status.st_ino,
                  is_table(name) ? nullptr : std::make_shared<Pin>(path)};
}

IOStatus GuardedFiles::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* result,
                                       rocksdb::IODebugContext* debug) {
  const std::lock_guard lock(mutex_);
  if (IOStatus status = changeable(); !status.ok()) return status;
  IOStatus status = FileSystemWrapper::NewWritableFile(name, options, result, debug);
  if (status.ok()) remember(file_name(name));
  return status;
}

IOStatus GuardedFiles::DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                                  rocksdb::IODebugContext* debug) {
  const std::lock_guard lock(mutex_);
  if (IOStatus status = changeable(); !status.ok()) return status;
  files_.erase(file_name(name));
  return FileSystemWrapper::DeleteFile(name, options, debug);
}

IOStatus GuardedFiles::RenameFile(const std::string& from, const std::string& to,
                                  const rocksdb::IOOptions& options,
                                  rocksdb::IODebugContext* debug) {
  const std::lock_guard lock(mutex_);
  if (IOStatus status = changeable(); !status.ok()) return status;
  IOStatus status = FileSystemWrapper::RenameFile(from, to, options, debug);
  if (status.ok()) {
    files_.erase(file_name(from));
    remember(file_name(to));
  }
  return status;
}

IOStatus GuardedFiles::LockFile(const std::string& name, const rocksdb::IOOptions& options,
                                rocksdb::FileLock** lock, rocksdb::IODebugContext* debug) {
  const std::lock_guard guard(mutex_);
  if (IOStatus status = changeable(); !status.ok()) return status;
  IOStatus status = FileSystemWrapper::LockFile(name, options, lock, debug);
  if (!status.ok()) return status;
  files_.clear();
  std::error_code error;
  std::filesystem::directory_iterator found(directory_.path(), error);
  for (const std::filesystem::directory_iterator end; !error && found != end;
       found.increment(error)) {
    remember(found->path().filename().string());
  }
  return status;
}

IOStatus GuardedFiles::UnlockFile(rocksdb::FileLock* lock, const rocksdb::IOOptions& options,
                                  rocksdb::IODebugContext* debug) {
  {
    const std::lock_guard guard(mutex_);
    files_.clear();
  }
  return FileSystemWrapper::UnlockFile(lock, options, debug);
}

}  // namespace onceproxy::store
