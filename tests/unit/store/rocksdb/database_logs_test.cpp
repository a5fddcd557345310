// Logs that were cut or removed, and everything that must not be taken for it.
#include <catch2/catch.hpp>
#include <fstream>

#include "store/rocksdb/database.hpp"
#include "store/rocksdb/log_notes.hpp"
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

std::vector<fs::path> logs_in(const fs::path& directory) {
  std::vector<fs::path> out;
  for (const auto& file : fs::directory_iterator(directory)) {
    if (file.path().extension() == ".log") out.push_back(file.path());
  }
  std::ranges::sort(out);
  return out;
}

std::map<std::uint64_t, LogNotes::Note> notes_in(const fs::path& directory) {
  LogNotes notes(directory);
  notes.read();
  return notes.all();
}

/// A store as a killed process leaves it.
struct KilledStore : Fixture {
  explicit KilledStore(int operations, std::size_t bytes = 100, Sync sync = Sync::all) {
    options.sync = sync;
    open();
    for (int i = 0; i < operations; i += 100) {
      complete_all(i, std::min(i + 100, operations), answer(200, std::string(bytes, 'x')));
    }
    const fs::path copy = directory.path() / "copy";
    fs::create_directories(copy);
    for (const auto& file : fs::directory_iterator(options.path)) {
      std::error_code gone;
      fs::copy(file.path(), copy, gone);
      if (gone) REQUIRE(gone == std::errc::no_such_file_or_directory);
    }
    store.reset();
    options.path = copy;
  }
  fs::path log() const { return logs_in(options.path).back(); }
  int known(int operations) {
    int count = 0;
    for (int i = 0; i < operations; ++i) count += is<Completed>(reserve(request(i))) ? 1 : 0;
    return count;
  }
};

}  // namespace

TEST_CASE("a log that was cut is refused wherever it was cut, with the way out") {
  const auto part = GENERATE(0.0, 0.01, 0.3, 0.5, 0.97, 1.0);
  KilledStore store(2'000, 1'000);
  const std::uintmax_t size = fs::file_size(store.log());
  REQUIRE(size > 2 << 20);
  // Page by page, as a file system is repaired, and one byte in the end.
  const auto left =
      part == 1.0 ? size - 1
                  : static_cast<std::uintmax_t>(part * static_cast<double>(size)) / 4'096 * 4'096;
  const std::string name = store.log().filename().string();
  fs::resize_file(store.log(), left);
  CHECK(refusal(store) ==
        "store " + store.options.path.string() + ": the write-ahead log is corrupt (Corruption: " +
            name + " was cut: it has " + std::to_string(left) + " of " + std::to_string(size) +
            " bytes); restore the directory from a copy, or start with --accept-wal-loss to drop "
            "what cannot be read: operations that were acknowledged may then run again");
  store.options.accept_wal_loss = true;
  CHECK(refusal(store).empty());
  CHECK(Seen::contains(store.seen.events, "recovery"));
  const int known = store.known(2'000);
  // A hundred are reserved before the first of them completes.
  CHECK(known >= static_cast<int>(part * 1'000) - 100);
  store.store.reset();
  store.options.accept_wal_loss = false;
  CHECK(refusal(store).empty());
}

TEST_CASE("a log that is gone is refused, and its loss can be accepted") {
  KilledStore store(10);
  const std::string name = store.log().filename().string();
  fs::remove(store.log());
  const std::string text = refusal(store);
  CHECK_THAT(text, Catch::Contains("the write-ahead log is corrupt (Corruption: " + name +
                                   " is gone, and held records that are nowhere else)"));
  CHECK_THAT(text, Catch::Contains("--accept-wal-loss"));
  store.options.accept_wal_loss = true;
  CHECK(refusal(store).empty());
  CHECK(store.known(10) == 0);
  store.store.reset();
  store.options.accept_wal_loss = false;
  CHECK(refusal(store).empty());
}

TEST_CASE("with a log that grows, what was synced of it is noted too") {
  KilledStore store(3'000, 1'000, Sync::reservations);
  const auto notes = notes_in(store.options.path);
  REQUIRE(notes.size() == 1);
  const auto& [log, note] = *notes.begin();
  CHECK_FALSE(note.strict);
  CHECK(note.bytes > 2 << 20);
  CHECK(note.bytes <= fs::file_size(store.log()));
  fs::resize_file(store.log(), note.bytes - 1);
  CHECK_THAT(refusal(store), Catch::Contains("was cut"));
}

TEST_CASE("a killed store opens, and again after each further kill") {
  KilledStore store(500, 1'000, GENERATE(Sync::all, Sync::reservations, Sync::none));
  CHECK(refusal(store).empty());
  CHECK(store.known(500) == 500);
  store.store.reset();
  CHECK(refusal(store).empty());
  CHECK(store.known(500) == 500);
  CHECK(store.seen.failures.empty());
}

TEST_CASE("the notes follow the logs: one for each that is there, of its length") {
  Fixture fixture;
  fixture.tuning.write_buffer_bytes = 256 << 10;
  fixture.tuning.memtable_buckets = 1 << 8;
  fixture.open();
  for (std::uint64_t i = 0; i < 2'000; i += 100) {
    fixture.complete_all(i, i + 100, answer(200, std::string(500, 'x')));
  }
  fixture.store.reset();
  const auto notes = notes_in(fixture.options.path);
  const auto logs = logs_in(fixture.options.path);
  REQUIRE_FALSE(logs.empty());
  for (const auto& log : logs) {
    const auto& note = notes.at(std::stoull(log.stem().string()));
    CHECK(note.bytes == fs::file_size(log));
  }
  CHECK(notes.size() == logs.size());
}

TEST_CASE("a note of a log that is not needed any more stops no start, and goes") {
  Fixture fixture;
  fixture.open();
  REQUIRE(fixture.complete(fixture.permit(request(1)), answer(200, "")) == Settled::done);
  fixture.store.reset();
  {
    // As a version leaves it that removes logs and knows no notes.
    LogNotes notes(fixture.options.path);
    notes.read();
    REQUIRE_FALSE(notes.note(1, {1 << 20, true}));
  }
  CHECK(refusal(fixture).empty());
  CHECK(is<Completed>(fixture.reserve(request(1))));
  CHECK_FALSE(notes_in(fixture.options.path).contains(1));
}

TEST_CASE("a store without notes opens, as an earlier version leaves it, and has them then") {
  KilledStore store(10);
  fs::remove(store.options.path / LogNotes::name);
  CHECK(refusal(store).empty());
  CHECK(store.known(10) == 10);
  CHECK(notes_in(store.options.path).size() == 1);
}

TEST_CASE("a store whose CURRENT is gone is refused, and not begun anew") {
  Fixture fixture;
  fixture.open();
  REQUIRE(fixture.complete(fixture.permit(request(1)), answer(200, "")) == Settled::done);
  fixture.store.reset();
  fs::rename(fixture.options.path / "CURRENT", fixture.directory.path() / "CURRENT");
  const std::string text = refusal(fixture);
  CHECK_THAT(text, Catch::Contains("the database is corrupt (CURRENT is gone, and "));
  CHECK_THAT(text, Catch::Contains("restore the directory from a copy"));
  fs::rename(fixture.directory.path() / "CURRENT", fixture.options.path / "CURRENT");
  CHECK(refusal(fixture).empty());
  CHECK(is<Completed>(fixture.reserve(request(1))));
}

TEST_CASE("a first start that was interrupted before CURRENT was made begins anew") {
  Fixture fixture;
  fs::create_directories(fixture.options.path);
  std::ofstream(fixture.options.path / "LOCK") << "";
  std::ofstream(fixture.options.path / "IDENTITY") << "a name";
  std::ofstream(fixture.options.path / "MANIFEST-000001") << "part";
  std::ofstream(fixture.options.path / "000001.dbtmp") << "MANI";
  CHECK(refusal(fixture).empty());
  CHECK(is<Reserved>(fixture.reserve(request(1))));
}
