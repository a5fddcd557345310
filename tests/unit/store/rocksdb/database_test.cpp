#include "store/rocksdb/database.hpp"

#include <sys/mount.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <optional>

#include "store/record.hpp"
#include "store/rocksdb/meta.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
namespace fs = std::filesystem;

namespace {

/// What opening is refused with; empty where it is not.
std::string refusal(Fixture& fixture) {
  try {
    fixture.open();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

/// A small file system of its own, where root may mount one.
class SmallFileSystem {
 public:
  SmallFileSystem(fs::path path, const std::string& options, const char* type = "tmpfs")
      : path_(std::move(path)) {
    fs::create_directories(path_);
    mounted_ = ::mount(type, path_.c_str(), type, 0, options.c_str()) == 0;
    if (!mounted_) WARN("skipped: no " << type << " can be mounted here");
  }
  ~SmallFileSystem() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  bool make_read_only() {
    return ::mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "") == 0;
  }

 private:
  fs::path path_;
  bool mounted_ = false;
};

/// No file of this process grows beyond a size, anywhere and for anybody, as on a disk that is
/// full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit limit{bytes, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

/// A store's directory as the versions before entities and rate limits left it, with more families.
void make_early_directory(const fs::path& path, const std::vector<std::string>& more = {}) {
  fs::create_directories(path);
  rocksdb::Options options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  std::vector<rocksdb::ColumnFamilyDescriptor> families{
      {rocksdb::kDefaultColumnFamilyName, {}}, {"records", {}}, {"answers", {}}};
  for (const std::string& name : more) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  REQUIRE(rocksdb::DB::Open(options, path.string(), families, &handles, &db).ok());
  Record record;
  record.state = Record::State::completed;
  record.expires = WallTime(std::chrono::hours(24 * 365 * 100));
  record.answer = answer(200, "early");
  const Fingerprint key = fingerprint(1);
  const std::string bytes = encode(record);
  REQUIRE(db->Put({}, "format", meta::encode(1)).ok());
  REQUIRE(db->Put({}, handles[1], {key.view().data(), key.view().size()}, bytes).ok());
  for (rocksdb::ColumnFamilyHandle* const handle : handles) db->DestroyColumnFamilyHandle(handle);
  delete db;
}

/// A store's directory as a power cut would leave it: the log not yet written to tables.
void copy_open_store(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  for (const auto& file : fs::directory_iterator(from)) {
    // RocksDB removes what it needs no more on a thread of its own.
    std::error_code gone;
    fs::copy(file.path(), to, gone);
    if (gone && gone != std::errc::no_such_file_or_directory) throw std::system_error(gone);
  }
}

void flip_byte(const fs::path& file, std::uintmax_t offset) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset));
  const char byte = static_cast<char>(stream.get() ^ 0x55);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.put(byte);
}

std::vector<fs::path> files_with(const fs::path& directory, const std::string& extension) {
  std::vector<fs::path> out;
  for (const auto& file : fs::directory_iterator(directory)) {
    if (file.path().extension() == extension) out.push_back(file.path());
  }
  return out;
}

void put_raw(Fixture& fixture, const Fingerprint& fingerprint, const std::string& bytes) {
  const RocksDbObserver observer;
  Database database(fixture.options, fixture.tuning, fixture.clock, observer);
  database.open();
  rocksdb::WriteBatch batch;
  database.add(batch, Family::records, fingerprint.view(), bytes);
  REQUIRE(database.write(batch, true).ok());
}

}  // namespace

TEST_CASE("a path that is a file is refused by name") {
  Fixture fixture;
  std::ofstream(fixture.options.path) << "a file";
  const std::string text = refusal(fixture);
  CHECK(text == "store " + fixture.options.path.string() +
                    ": not a directory; set store.rocksdb.path to a directory");
}

TEST_CASE("a directory that cannot be created is refused by name") {
  Fixture fixture;
  std::ofstream(fixture.directory.path() / "file") << "a file";
  fixture.options.path = fixture.directory.path() / "file" / "store";
  CHECK(contains(refusal(fixture), "cannot be created (Not a directory)"));
}

TEST_CASE("missing parents are created") {
  Fixture fixture;
  fixture.options.path = fixture.directory.path() / "a" / "b" / "store";
  CHECK(refusal(fixture).empty());
}

TEST_CASE("a directory is open once in a process") {
  Fixture fixture;
  fixture.open();
  Fixture second;
  second.options.path = fixture.options.path;
  CHECK(contains(refusal(second), "in use by this process already"));
  CHECK(is<Reserved>(fixture.reserve(request(1))));
}

TEST_CASE("a read-only directory is refused by name") {
  Fixture fixture;
  SmallFileSystem mount(fixture.options.path, "size=8m");
  if (!mount.mounted() || !mount.make_read_only()) return;
  CHECK(contains(refusal(fixture), "read-only (Read-only file system); mount it writable"));
}

TEST_CASE("files that cannot grow stop the promises, and none of those made is lost") {
  Fixture fixture;
  fixture.open();
  std::optional<FileSizeLimit> limit(4 << 20);
  std::uint64_t number = 0;
  std::vector<std::uint64_t> acknowledged;
  for (;;) {
    ReserveResult result = fixture.reserve(request(++number));
    if (!is<Reserved>(result)) {
      CHECK(is_unavailable(result, Unavailable::Reason::failed));
      break;
    }
    const Settled settled = fixture.complete(std::move(std::get<Reserved>(result).permit),
                                             answer(200, std::string(50'000, 'x')));
    if (settled != Settled::done) break;
    acknowledged.push_back(number);
    REQUIRE(number < 10'000);
  }
  CHECK_FALSE(acknowledged.empty());
  limit.reset();
  CHECK(fixture.seen.wait_for_event("reopened"));
  for (const std::uint64_t known : acknowledged) {
    REQUIRE(is<Completed>(fixture.reserve(request(known))));
  }
  CHECK(is<Reserved>(fixture.reserve(request(1'000'000))));
}

TEST_CASE("a record that cannot be read refuses its fingerprint and no other") {
  Fixture fixture;
  put_raw(fixture, fingerprint(1), "\x01 garbage");
  fixture.open();
  CHECK(is_unavailable(fixture.reserve(request(1)), Unavailable::Reason::corrupt));
  CHECK(fixture.seen.failed("decode: " + fingerprint(1).hex()));
  CHECK(is<Reserved>(fixture.reserve(request(2))));
  CHECK(fixture.store->stats().reservations_active == 0);
}

TEST_CASE("a damaged table fails its reads and says so") {
  Fixture fixture;
  fixture.open();
  for (std::uint64_t i = 0; i < 200; ++i) {
    REQUIRE(fixture.complete(fixture.permit(request(i)), answer(200, "")) == Settled::done);
  }
  fixture.store.reset();
  fs::path largest;
  for (const fs::path& table : files_with(fixture.options.path, ".sst")) {
    if (largest.empty() || fs::file_size(table) > fs::file_size(largest)) largest = table;
  }
  flip_byte(largest, 100);
  fixture.open();
  int failed = 0;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const ReserveResult result = fixture.reserve(request(i));
    CHECK_FALSE(is<Reserved>(result));
    if (is_unavailable(result, Unavailable::Reason::failed)) ++failed;
  }
  CHECK(failed > 0);
  CHECK(fixture.seen.failed("read: Corruption"));
}

TEST_CASE("a log damaged in the middle is refused, and opened only on the operator's word") {
  Fixture fixture;
  fixture.open();
  for (std::uint64_t i = 0; i < 300; ++i) {
    REQUIRE(fixture.complete(fixture.permit(request(i)), answer(200, std::string(1'000, 'x'))) ==
            Settled::done);
  }
  const std::uint64_t fence = fixture.permit(request(1'000)).fence();
  const fs::path copy = fixture.directory.path() / "copy";
  copy_open_store(fixture.options.path, copy);
  fixture.options.path = copy;
  const auto logs = files_with(copy, ".log");
  REQUIRE(logs.size() == 1);
  flip_byte(logs[0], 100'000);

  const std::string text = refusal(fixture);
  CHECK(contains(text, copy.string()));
  CHECK(contains(text, "the write-ahead log is corrupt"));
  CHECK(contains(text, "--accept-wal-loss"));

  fixture.options.accept_wal_loss = true;
  CHECK(refusal(fixture).empty());
  CHECK(Seen::contains(fixture.seen.events, "recovery"));
  std::size_t kept = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    if (is<Completed>(fixture.reserve(request(i)))) ++kept;
  }
  CHECK(kept > 200);
  CHECK(kept < 300);
  CHECK(fixture.permit(request(2'000)).fence() > fence);
}

TEST_CASE("a log torn at its end opens: what was torn was never acknowledged") {
  Fixture fixture;
  // One that grows: of a prepared one no power cut takes the end (database_logs_test.cpp).
  fixture.options.sync = Sync::reservations;
  fixture.open();
  for (std::uint64_t i = 0; i < 10; ++i) {
    REQUIRE(fixture.complete(fixture.permit(request(i)), answer(200, "")) == Settled::done);
  }
  const fs::path copy = fixture.directory.path() / "copy";
  copy_open_store(fixture.options.path, copy);
  fixture.options.path = copy;
  const auto logs = files_with(copy, ".log");
  fs::resize_file(logs.at(0), fs::file_size(logs.at(0)) - 7);
  CHECK(refusal(fixture).empty());
  for (std::uint64_t i = 0; i < 9; ++i) CHECK(is<Completed>(fixture.reserve(request(i))));
}

TEST_CASE("where a file system has no direct I/O the log grows, and is as good") {
  Fixture fixture;
  SmallFileSystem mount(fixture.options.path, "", "ramfs");
  if (!mount.mounted()) return;
  fixture.open();
  for (std::uint64_t i = 0; i < 10; ++i) {
    REQUIRE(fixture.complete(fixture.permit(request(i)), answer(200, "")) == Settled::done);
  }
  const auto logs = files_with(fixture.options.path, ".log");
  CHECK(fs::file_size(logs.at(0)) < 64 * 1024);
  const fs::path copy = fixture.directory.path() / "copy";
  copy_open_store(fixture.options.path, copy);
  fixture.store.reset();
  fixture.options.path = copy;
  CHECK(refusal(fixture).empty());
  for (std::uint64_t i = 0; i < 10; ++i) CHECK(is<Completed>(fixture.reserve(request(i))));
  fixture.store.reset();
}

TEST_CASE("a damaged manifest is no case for accepting a lost log") {
  Fixture fixture;
  fixture.open();
  fixture.store.reset();
  for (const auto& file : fs::directory_iterator(fixture.options.path)) {
    if (file.path().filename().string().starts_with("MANIFEST")) flip_byte(file.path(), 10);
  }
  fixture.options.accept_wal_loss = true;
  const std::string text = refusal(fixture);
  CHECK(contains(text, "the database is corrupt"));
  CHECK_FALSE(contains(text, "--accept-wal-loss"));
}

TEST_CASE("a directory in another format is refused") {
  Fixture fixture;
  {
    const RocksDbObserver observer;
    Database database(fixture.options, fixture.tuning, fixture.clock, observer);
    database.open();
    rocksdb::WriteBatch batch;
    database.add(batch, Family::meta, "format", std::string("\x09\0\0\0\0\0\0\0", 8));
    REQUIRE(database.write(batch, true).ok());
  }
  CHECK(contains(refusal(fixture), "written in format 9, this program knows format 1"));
}

TEST_CASE("a directory of a later version is refused by name") {
  Fixture fixture;
  make_early_directory(fixture.options.path, {"tomorrow"});
  CHECK(contains(refusal(fixture),
                 "written by a later version (it has \"tomorrow\", which this program does not "
                 "know); use that version, or restore the backup from before the upgrade"));
}

TEST_CASE("a directory of an earlier version is opened and keeps what it holds") {
  Fixture fixture;
  make_early_directory(fixture.options.path);
  const bool damaged = GENERATE(false, true);
  if (damaged) {
    for (const auto& file : fs::directory_iterator(fixture.options.path)) {
      if (file.path().extension() == ".log") flip_byte(file.path(), 20);
    }
    CHECK(contains(refusal(fixture), "the write-ahead log is corrupt"));
    return;
  }
  fixture.open();
  CHECK(std::get<Completed>(fixture.reserve(request(1))).answer.body == "early");
  ReserveRequest both = request(2);
  both.entity.emplace().turn = 1s;
  both.rate.emplace();
  CHECK(is<Reserved>(fixture.reserve(both)));
}
