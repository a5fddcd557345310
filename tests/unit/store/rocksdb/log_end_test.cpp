#include "store/rocksdb/log_end.hpp"

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "store/rocksdb/crc32c.hpp"
#include "store/rocksdb/prepared_log.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t sector = 512;

std::string contents(const fs::path& file) {
  std::ostringstream out;
  out << std::ifstream(file, std::ios::binary).rdbuf();
  return out.str();
}

void write_file(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

/// A database whose log RocksDB writes for real, one synced write after the other.
struct LogFixture {
  TemporaryDirectory directory;
  std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(
      std::make_shared<PreparedLogs>(rocksdb::FileSystem::Default(), true));
  std::unique_ptr<rocksdb::DB> db = open(directory.path());
  /// Where the log ended after each write, and before the first.
  std::vector<std::uint64_t> ends{0};
  std::mt19937 random{11};

  std::unique_ptr<rocksdb::DB> open(const fs::path& path) {
    rocksdb::Options options;
    options.env = env.get();
    options.create_if_missing = true;
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
    options.allow_concurrent_memtable_write = false;
    rocksdb::DB* opened = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, path.string(), &opened);
    return std::unique_ptr<rocksdb::DB>(status.ok() ? opened : nullptr);
  }
  fs::path log_file() const {
    for (const auto& file : fs::directory_iterator(directory.path())) {
      if (file.path().extension() == ".log") return file.path();
    }
    return {};
  }
  std::string log() const { return contents(log_file()); }
  fs::path manifest_file() const {
    for (const auto& file : fs::directory_iterator(directory.path())) {
      if (file.path().filename().string().starts_with("MANIFEST-")) return file.path();
    }
    return {};
  }

  std::string value(std::size_t size) {
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(random());
    return out;
  }
  void write(std::size_t bytes) {
    rocksdb::WriteOptions synced;
    synced.sync = true;
    REQUIRE(db->Put(synced, "key" + std::to_string(ends.size()), value(bytes)).ok());
    const LogEnd end = end_of_log(log());
    REQUIRE_FALSE(end.damage);
    REQUIRE(end.at > ends.back() + bytes);
    ends.push_back(end.at);
  }
  /// How many of the writes a database has that starts with `log`; -1 where it does not start.
  int written_according_to(const std::string& log) {
    const fs::path copy = directory.path() / "copy";
    fs::remove_all(copy);
    fs::create_directories(copy);
    for (const auto& file : fs::directory_iterator(directory.path())) {
      // RocksDB removes what it needs no more on a thread of its own.
      std::error_code gone;
      if (file.is_regular_file()) fs::copy_file(file.path(), copy / file.path().filename(), gone);
      if (gone) REQUIRE(gone == std::errc::no_such_file_or_directory);
    }
    write_file(copy / log_file().filename(), log);
    const auto opened = open(copy);
    if (!opened) return -1;
    int count = 0;
    std::string ignored;
    while (opened->Get({}, "key" + std::to_string(count + 1), &ignored).ok()) ++count;
    return count;
  }
};

/// The log as it was before its last write, and those sectors of that write that `arrived` says.
std::string interrupted(const std::string& log, std::uint64_t before, std::uint64_t after,
                        const std::function<bool(std::size_t)>& arrived) {
  std::string out = log;
  for (std::uint64_t at = before; at < after;) {
    const std::uint64_t next = std::min(after, (at / sector + 1) * sector);
    if (!arrived(at / sector)) std::fill(out.begin() + at, out.begin() + next, '\0');
    at = next;
  }
  return out;
}

}  // namespace

TEST_CASE("a log ends behind its last record, and its file in zeros") {
  LogFixture fixture;
  CHECK(end_of_log(fixture.log()).at == 0);
  // Small ones, one over several blocks, and all lengths that a block's rest may be too short for.
  for (const std::size_t bytes : {10, 700, 40'000, 100, 100'000, 32'000, 1, 2'000'000, 9}) {
    fixture.write(bytes);
    CHECK(fixture.log().size() > fixture.ends.back());
  }
  while (fixture.ends.back() % 32'768 > 100) fixture.write(64);
  CHECK(fixture.written_according_to(fixture.log()) == static_cast<int>(fixture.ends.size()) - 1);
  const std::string name = fixture.log_file();
  fixture.db.reset();
  CHECK(fs::file_size(name) == fixture.ends.back());
}

TEST_CASE("nothing is left of an interrupted write, whichever of its sectors arrived") {
  const std::size_t bytes = GENERATE(30, 400, 3'000, 45'000);
  LogFixture fixture;
  for (const std::size_t before : {200, 33'000, 500}) fixture.write(before);
  fixture.write(bytes);
  const std::uint64_t before = fixture.ends.end()[-2];
  const std::uint64_t after = fixture.ends.back();
  const std::size_t first = before / sector;
  const std::size_t sectors = (after - 1) / sector - first + 1;
  const std::string log = fixture.log();
  const auto check = [&](const std::vector<bool>& arrived) {
    const std::string torn =
        interrupted(log, before, after, [&](std::size_t at) { return arrived[at - first]; });
    const LogEnd end = end_of_log(torn);
    const bool whole = std::find(arrived.begin(), arrived.end(), false) == arrived.end();
    REQUIRE_FALSE(end.damage);
    REQUIRE(end.at == (whole ? after : before));
  };
  if (sectors <= 8) {
    for (unsigned mask = 0; mask < 1U << sectors; ++mask) {
      std::vector<bool> arrived(sectors);
      for (std::size_t i = 0; i < sectors; ++i) arrived[i] = (mask >> i & 1) != 0;
      check(arrived);
    }
  } else {
    for (int round = 0; round < 300; ++round) {
      std::vector<bool> arrived(sectors, true);
      const std::size_t missing = 1 + fixture.random() % (round % 2 == 0 ? 2 : sectors);
      for (std::size_t i = 0; i < missing; ++i) arrived[fixture.random() % sectors] = false;
      check(arrived);
    }
  }
  // And RocksDB agrees.
  const auto half = [&](std::size_t at) { return at % 2 == 0; };
  CHECK(fixture.written_according_to(interrupted(log, before, after, half)) == 3);
  CHECK(fixture.written_according_to(log) == 4);
}

TEST_CASE("a log that is cut off ends behind its last whole record") {
  LogFixture fixture;
  for (const std::size_t bytes : {200, 33'000, 500, 100}) fixture.write(bytes);
  const std::string log = fixture.log();
  for (std::uint64_t size = 0; size < fixture.ends.back(); size += size % 97 + 1) {
    const LogEnd end = end_of_log(std::string_view(log).substr(0, size));
    CHECK_FALSE(end.damage);
    CHECK(end.at == *(std::upper_bound(fixture.ends.begin(), fixture.ends.end(), size) - 1));
  }
}

TEST_CASE("a byte that was on disk and has changed is damage, in the last write too") {
  LogFixture fixture;
  for (const std::size_t bytes : {200, 33'000, 500, 1'000}) fixture.write(bytes);
  const std::string log = fixture.log();
  const std::uint64_t last = fixture.ends.end()[-2];
  int refused = 0;
  for (std::uint64_t at = 0; at < fixture.ends.back(); ++at) {
    if (at > 300 && at < 32'000 && at % 61 != 0) continue;
    // That more of it was to come cannot be told from more of it being missing.
    if (at == last + 4 || at == last + 5) continue;
    std::string damaged = log;
    damaged[at] = static_cast<char>(damaged[at] ^ 1 << at % 8);
    INFO("byte " << at << " of " << fixture.ends.back());
    CHECK(end_of_log(damaged).damage);
    if (at % 183 == 0) {
      CHECK(fixture.written_according_to(damaged) == -1);
      ++refused;
    }
  }
  CHECK(refused > 50);
}

TEST_CASE("zeros where records were are damage, over which RocksDB would read in silence") {
  LogFixture fixture;
  for (int i = 0; i < 300; ++i) fixture.write(700);
  const std::string log = fixture.log();
  for (const std::size_t bytes : {1'024, 4'096, 70'000}) {
    for (const std::size_t from : {std::size_t{0}, std::size_t{32'768}, std::size_t{65'536}}) {
      std::string damaged = log;
      std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(from), bytes, '\0');
      INFO(bytes << " from " << from);
      CHECK(end_of_log(damaged).damage);
      CHECK(fixture.written_according_to(damaged) == -1);
    }
  }
}

TEST_CASE("a lost block is damage where the next one begins with a record, too") {
  LogFixture fixture;
  fixture.write(10'000);
  fixture.write(10'000);
  const std::uint64_t overhead = fixture.ends[1] - 10'000;
  fixture.write(32'768 - fixture.ends.back() - overhead);
  REQUIRE(fixture.ends.back() == 32'768);
  fixture.write(500);
  std::string damaged = fixture.log();
  std::fill_n(damaged.begin(), 32'768, '\0');
  CHECK(end_of_log(damaged).damage == 0);
  CHECK(fixture.written_according_to(damaged) == -1);
}

TEST_CASE("bytes from a client are not taken for a record of the log") {
  LogFixture fixture;
  fixture.write(100);
  // The first record once more, and one that says that it comes much later.
  const std::string earlier = fixture.log().substr(0, fixture.ends.back());
  std::string later = earlier;
  later[7 + 5] = 1;
  const std::uint32_t crc = crc32c(std::string_view(later).substr(6));
  const std::uint32_t sum = (crc >> 15 | crc << 17) + 0xA282EAD8;
  for (int i = 0; i < 4; ++i) later[i] = static_cast<char>(sum >> 8 * i & 0xFF);
  REQUIRE(end_of_log(earlier).at == earlier.size());
  REQUIRE(end_of_log(later).at == later.size());

  for (const std::string& sent : {earlier, later}) {
    rocksdb::WriteOptions synced;
    synced.sync = true;
    const std::uint64_t before = fixture.ends.back();
    const std::string value = std::string(600, 'x') + sent + std::string(1'000, 'y');
    REQUIRE(fixture.db->Put(synced, "key", value).ok());
    const std::string log = fixture.log();
    fixture.ends.push_back(end_of_log(log).at);
    const auto arrived = [&](std::size_t at) { return at != (fixture.ends.back() - 100) / sector; };
    const LogEnd end = end_of_log(interrupted(log, before, fixture.ends.back(), arrived));
    CHECK_FALSE(end.damage);
    CHECK(end.at == before);
  }
}

TEST_CASE("a change that was interrupted in the manifest never happened") {
  LogFixture fixture;
  // Keys of a kilobyte, so that a change, which names a file's first and last key, has sectors.
  const auto flush = [&](char begin) {
    rocksdb::WriteOptions synced;
    synced.sync = true;
    for (const char end : {'a', 'z'}) {
      REQUIRE(fixture.db->Put(synced, begin + std::string(1'000, end), "value").ok());
    }
    REQUIRE(fixture.db->Flush({}).ok());
  };
  flush('1');
  const std::uint64_t before = contents(fixture.manifest_file()).size();
  flush('2');
  const fs::path file = fixture.manifest_file();
  const std::string manifest = contents(file);
  const std::uint64_t after = manifest.size();
  REQUIRE(after > before + 4 * sector);
  REQUIRE(end_of_manifest(manifest).at == after);
  const fs::path copy = fixture.directory.path() / "copy";
  const std::size_t first = before / sector;
  const std::size_t sectors = (after - 1) / sector - first + 1;
  REQUIRE(sectors <= 10);
  for (unsigned mask = 0; mask + 1 < 1U << sectors; ++mask) {
    const std::string torn = interrupted(
        manifest, before, after, [&](std::size_t at) { return (mask >> (at - first) & 1) != 0; });
    INFO("sectors " << mask);
    const LogEnd end = end_of_manifest(torn);
    CHECK_FALSE(end.damage);
    CHECK(end.at == before);
  }

  // RocksDB opens what is left, with the log that held the keys, and refuses damage.
  const auto opens = [&](const std::string& bytes) {
    fs::remove_all(copy);
    fs::create_directories(copy);
    for (const char* const name : {"CURRENT", "IDENTITY"}) {
      fs::copy_file(fixture.directory.path() / name, copy / name);
    }
    for (const auto& entry : fs::directory_iterator(fixture.directory.path())) {
      if (entry.path().extension() == ".sst") fs::copy_file(entry, copy / entry.path().filename());
    }
    write_file(copy / file.filename(), bytes);
    return fixture.open(copy) != nullptr;
  };
  const auto last_missing = [&](std::size_t at) { return at != first + sectors - 2; };
  CHECK(opens(interrupted(manifest, before, after, last_missing)));
  for (const std::uint64_t at : {before - 10, before + 100}) {
    std::string damaged = manifest;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    CHECK(end_of_manifest(damaged).damage);
    CHECK_FALSE(opens(damaged));
  }
}

TEST_CASE("a gap before later changes of the manifest is damage") {
  const std::string change(20, 'x');
  // Nothing but a lost sector, and more behind it than one change takes.
  CHECK_FALSE(end_of_manifest(std::string(60'000, '\0')).damage);
  CHECK(end_of_manifest(std::string(70'000, '\0') + change).damage == 0);
}

TEST_CASE("files that are no log of ours end at once, and never read beyond themselves") {
  CHECK(end_of_log("").at == 0);
  CHECK_FALSE(end_of_log("").damage);
  CHECK_FALSE(end_of_log(std::string(100'000, '\0')).damage);
  CHECK(end_of_log(std::string(100'000, 'x')).damage == 0);
  std::mt19937 random(5);
  for (int round = 0; round < 2'000; ++round) {
    std::string noise(random() % 200, '\0');
    for (char& c : noise) c = static_cast<char>(random() % 8);
    const std::unique_ptr<char[]> exact(new char[noise.size()]);
    std::copy(noise.begin(), noise.end(), exact.get());
    CHECK(end_of_log({exact.get(), noise.size()}).at == 0);
  }
}
