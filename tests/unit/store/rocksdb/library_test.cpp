#include "store/rocksdb/library.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "store_fixture.hpp"

namespace onceproxy::store {
namespace {

using namespace testing;
namespace fs = std::filesystem;

constexpr std::uintmax_t prepared_bytes = 1 << 20;

/// How a store is written.
struct Way {
  const char* name;
  PreparedLog prepared_log;
  std::string series;
  bool prepares;
};

const Way ways[] = {
    {"prepared", PreparedLog::automatic, std::string(rocksdb_series_tested), true},
    {"switched off", PreparedLog::off, std::string(rocksdb_series_tested), false},
    {"another library", PreparedLog::automatic, "9.1", false},
};

void take(Fixture& fixture, const Way& way) {
  fixture.options.prepared_log = way.prepared_log;
  fixture.tuning.library_series = way.series;
}

std::uintmax_t largest_log(const fs::path& directory) {
  std::uintmax_t bytes = 0;
  for (const auto& file : fs::directory_iterator(directory)) {
    if (file.path().extension() == ".log") bytes = std::max(bytes, fs::file_size(file));
  }
  return bytes;
}

/// The store's directory as kill -9 leaves it: nothing but the log holds what was written.
fs::path left_by_a_kill(Fixture& fixture, const std::string& name) {
  const fs::path copy = fixture.directory.path() / name;
  fs::create_directories(copy);
  for (const auto& file : fs::directory_iterator(fixture.options.path)) {
    std::error_code gone;  // RocksDB removes what it needs no more on a thread of its own
    fs::copy(file.path(), copy, gone);
  }
  return copy;
}

}  // namespace

TEST_CASE("the library that is loaded is of the tested series") {
  CHECK(rocksdb_series() == rocksdb_series_tested);
}

TEST_CASE("a store that was written either way opens with the other") {
  for (const Way& before : ways) {
    for (const Way& after : ways) {
      CAPTURE(before.name, after.name);
      Fixture fixture;
      take(fixture, before);
      fixture.open();
      fixture.complete_all(0, 20, answer(200, "first"));
      CHECK((largest_log(fixture.options.path) >= prepared_bytes) == before.prepares);

      // And back again: what the other way has written is read too.
      std::uint64_t known = 20;
      for (const Way* const way : {&after, &before}) {
        fixture.options.path = left_by_a_kill(fixture, std::to_string(known));
        take(fixture, *way);
        fixture.open();
        CHECK(fixture.store->stats().prepared_log == way->prepares);
        for (std::uint64_t i = 0; i < known; ++i) CHECK(is<Completed>(fixture.reserve(request(i))));
        fixture.complete_all(known, known + 20, answer(200, "then"));
        known += 20;
      }
    }
  }
}

TEST_CASE("another library is told once, with what it costs") {
  Fixture fixture;
  fixture.tuning.library_series = "9.1";
  fixture.open();
  CHECK(Seen::contains(fixture.seen.events, "RocksDB 9.1 is loaded"));
  CHECK(Seen::contains(fixture.seen.events, "tested with 7.8"));
}

}  // namespace onceproxy::store
