// What of the database goes into a backup.
#include <mutex>
#include <shared_mutex>
#include <stdexcept>

#include "store/rocksdb/backup.hpp"
#include "store/rocksdb/database.hpp"

namespace onceproxy::store {
namespace {

void expect(const rocksdb::Status& status, const char* what) {
  if (!status.ok()) throw std::runtime_error(std::string(what) + ": " + status.ToString());
}

/// As RocksDB lists them: "/000012.sst".
StoreFiles sorted(const std::vector<std::string>& names, std::uint64_t manifest_bytes) {
  StoreFiles out;
  out.manifest_bytes = manifest_bytes;
  for (std::string name : names) {
    name.erase(0, name.find_first_not_of('/'));
    if (name.starts_with("MANIFEST-")) {
      out.manifest = name;
    } else if (name.starts_with("OPTIONS-")) {
      out.options.push_back(name);
    } else if (name.ends_with(".sst") || name.ends_with(".blob")) {
      out.tables.push_back(name);
    }
  }
  return out;
}

/// RocksDB deletes nothing meanwhile.
class Kept {
 public:
  explicit Kept(rocksdb::DB& db) : db_(db) {
    expect(db_.DisableFileDeletions(), "keeping the files");
  }
  ~Kept() { db_.EnableFileDeletions(false).PermitUncheckedError(); }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;

 private:
  rocksdb::DB& db_;
};

}  // namespace

rocksdb::Status Database::flush() const {
  const std::shared_lock lock(mutex_);
  if (!db_) return rocksdb::Status::Aborted("the database is being reopened");
  return db_->Flush(rocksdb::FlushOptions(), handles_);
}

void Database::snapshot(const std::filesystem::path& to) {
  expect(db_->Flush(rocksdb::FlushOptions(), handles_), "writing the memtables down");
  const Kept kept(*db_);
  std::vector<std::string> names;
  std::uint64_t manifest_bytes = 0;
  expect(db_->GetLiveFiles(names, &manifest_bytes, false), "listing the files");
  const StoreFiles files = sorted(names, manifest_bytes);
  if (files.manifest.empty()) throw std::runtime_error("listing the files: there is no manifest");
  backup::link_files(options_.path, files, to);
}

void Database::remove_staging() const {
  std::error_code ignored;
  std::filesystem::remove_all(options_.path / backup::staging_name, ignored);
}

}  // namespace onceproxy::store
