#include "store/rocksdb/guarded_files.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
namespace fs = std::filesystem;

namespace {

/// A store with a table, a log and an operation that is known.
struct OpenStore : Fixture {
  OpenStore() {
    open();
    REQUIRE(complete(permit(request(1)), answer(200, "one")) == Settled::done);
    open();
    REQUIRE(complete(permit(request(2)), answer(200, "two")) == Settled::done);
  }
  /// The first file whose name begins or ends so.
  fs::path file(const std::string& part) const {
    for (const auto& found : fs::directory_iterator(options.path)) {
      const std::string name = found.path().filename().string();
      if (name.starts_with(part) || name.ends_with(part)) return found.path();
    }
    return {};
  }
  bool fails_with(const std::string& text) {
    return seen.signal.wait([&] {
      return Seen::contains(seen.failures, "files: ") && Seen::contains(seen.failures, text);
    });
  }
  bool refuses() {
    return is_unavailable(reserve(request(100)), Unavailable::Reason::failed) &&
           store->failure().starts_with("IO error: ") && !store->stats().healthy;
  }
};

}  // namespace

TEST_CASE("a file that vanished stops the promises, by name, until it is back") {
  const auto part =
      GENERATE(as<std::string>(), "LOCK", "CURRENT", "MANIFEST-", ".log", ".sst", "LOGS");
  OpenStore store;
  const fs::path file = store.file(part);
  const fs::path away = store.directory.path() / "away";
  fs::rename(file, away);
  CHECK(store.fails_with(file.filename().string() + " is gone"));
  CHECK(store.refuses());
  fs::rename(away, file);
  CHECK(store.seen.wait_for_event("reopened"));
  CHECK(is<Completed>(store.reserve(request(1))));
  CHECK(is<Completed>(store.reserve(request(2))));
  CHECK(is<Reserved>(store.reserve(request(3))));
  CHECK(store.store->failure().empty());
}

TEST_CASE("a file that was replaced stops the promises, a copy of it too") {
  const auto part =
      GENERATE(as<std::string>(), "LOCK", "CURRENT", "MANIFEST-", ".log", ".sst", "LOGS");
  OpenStore store;
  const fs::path file = store.file(part);
  fs::copy_file(file, store.directory.path() / "copy");
  fs::rename(store.directory.path() / "copy", file);
  CHECK(store.fails_with(file.filename().string() + " was replaced"));
  CHECK(store.refuses());
}

TEST_CASE("a directory that is gone stops the promises, and no new store is made in its place") {
  OpenStore store;
  fs::remove_all(store.options.path);
  CHECK(store.fails_with("the directory is gone"));
  CHECK(store.refuses());
  // What was under way in the meantime has been tried a few times.
  CHECK(store.seen.signal.wait([&] {
    return std::ranges::count(store.seen.failures, "open: IO error: the directory is gone") > 3;
  }));
  CHECK_FALSE(fs::exists(store.options.path));
  store.store.reset();
  CHECK_FALSE(fs::exists(store.options.path));
}

TEST_CASE("nothing is changed in a directory that came in the place of the store's") {
  OpenStore store;
  const fs::path away = store.directory.path() / "away";
  // As after a restored copy: the same names, other files.
  fs::rename(store.options.path, away);
  fs::copy(away, store.options.path, fs::copy_options::recursive);
  std::ofstream(store.options.path / "999999.sst") << "of the copy alone";
  const auto listing = [&] {
    std::map<std::string, std::uintmax_t> out;
    for (const auto& found : fs::directory_iterator(store.options.path)) {
      out[found.path().filename().string()] = found.is_regular_file() ? found.file_size() : 0;
    }
    return out;
  };
  const auto before = listing();
  CHECK(store.fails_with("another directory is in its place"));
  CHECK(store.refuses());
  store.store.reset();
  CHECK(listing() == before);
}

TEST_CASE("a second store does not open a directory whose LOCK was removed") {
  OpenStore store;
  fs::remove(store.options.path / "LOCK");
  Fixture second;
  second.options.path = store.options.path;
  CHECK_THROWS_WITH(second.open(), Catch::Contains("in use by this process already"));
}

TEST_CASE("files that come and go by themselves stop nothing") {
  Fixture fixture;
  fixture.tuning.tick = 1ms;
  fixture.tuning.write_buffer_bytes = 64 << 10;
  fixture.tuning.memtable_buckets = 1 << 8;
  fixture.tuning.level0_trigger = 2;
  fixture.options.path += "/";  // RocksDB's names then have two slashes
  fixture.open();
  for (std::uint64_t i = 0; i < 3'000; i += 100) {
    fixture.complete_all(i, i + 100, answer(200, std::string(500, 'x')));
  }
  CHECK(fixture.seen.failures.empty());
}
