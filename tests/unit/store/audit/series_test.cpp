#include "store/audit/series.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <set>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20;

struct Files {
  TemporaryDirectory directory;
  AuditLimits limits{mib, 8h};  // files of 128 KiB, of an hour
  WallTime now{std::chrono::hours(500'000)};

  std::unique_ptr<AuditSeries> open() {
    auto series = std::make_unique<AuditSeries>(directory.path(), "forwards", limits);
    series->open();
    return series;
  }
  std::set<std::string> names() const {
    std::set<std::string> out;
    for (const auto& file : std::filesystem::directory_iterator(directory.path())) {
      out.insert(file.path().filename().string());
    }
    return out;
  }
  std::uint64_t on_disk() const {
    std::uint64_t sum = 0;
    for (const auto& file : std::filesystem::directory_iterator(directory.path())) {
      sum += file.file_size();
    }
    return sum;
  }
};

}  // namespace

TEST_CASE("appended bytes are read back from a numbered file") {
  Files files;
  const auto series = files.open();
  CHECK_FALSE(series->append("one", files.now));
  CHECK_FALSE(series->append("two", files.now));
  CHECK_FALSE(series->append("", files.now));
  CHECK(files.names() == std::set<std::string>{"forwards-1.audit"});
  CHECK(series->read(1) == "onetwo");
  CHECK_FALSE(series->read(2));
  CHECK(series->bytes() == 6);
  CHECK_FALSE(series->sync());
}

TEST_CASE("a file that is full is followed by another, and the oldest goes at the limit") {
  Files files;
  const auto series = files.open();
  const std::string part(40 * 1'024, 'x');
  for (int i = 0; i < 100; ++i) {
    REQUIRE_FALSE(series->append(part, files.now));
    CHECK(files.on_disk() <= files.limits.bytes_max);
    CHECK(files.on_disk() == series->bytes());
  }
  const auto list = series->files();
  CHECK(list.size() > 5);
  CHECK(list.front().number > 1);
  CHECK(list.back().number - list.front().number + 1 == list.size());
  for (const auto& file : list) CHECK(file.bytes <= 128 * 1'024);
}

TEST_CASE("expire makes room ahead, so that append has none to make") {
  Files files;
  const auto series = files.open();
  const std::string part(120 * 1'024, 'x');
  for (int i = 0; i < 20; ++i) REQUIRE_FALSE(series->append(part, files.now));
  series->expire(files.now);
  CHECK(series->bytes() <= 6 * 128 * 1'024);
  const auto before = series->files().front().number;
  REQUIRE_FALSE(series->append(part, files.now));
  CHECK(series->files().front().number == before);
}

TEST_CASE("a file goes when its last entry is older than the retention") {
  Files files;
  const auto series = files.open();
  REQUIRE_FALSE(series->append("old", files.now));
  files.now += 1h;
  REQUIRE_FALSE(series->append("young", files.now));
  CHECK(files.names().size() == 2);  // no file takes entries for longer than an hour
  series->expire(files.now + 7h);
  CHECK(files.names().size() == 2);
  series->expire(files.now + 7h + 1ms);
  CHECK(files.names() == std::set<std::string>{"forwards-2.audit"});
  series->expire(files.now + 8h + 1ms);
  CHECK(files.names().empty());
  CHECK(series->bytes() == 0);
  REQUIRE_FALSE(series->append("new", files.now + 9h));
  CHECK(series->read(series->files().back().number) == "new");
}

TEST_CASE("a series that is opened again goes on, in its last file where that has room") {
  Files files;
  REQUIRE_FALSE(files.open()->append("one", files.now));
  {
    const auto series = files.open();
    REQUIRE(series->files().size() == 1);
    CHECK(series->bytes() == 3);
    // It is not known when the first file was begun, so nothing is appended to it.
    REQUIRE_FALSE(series->append("two", files.now));
    CHECK(series->files().back().number == 2);
  }
  const auto now =
      std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  for (int i = 0; i < 10; ++i) REQUIRE_FALSE(files.open()->append("more", now));
  CHECK(files.names().size() == 2);
}

TEST_CASE("files of others are left alone") {
  Files files;
  for (const char* name : {"forwards-.audit", "forwards-1.audit.bak", "forwards-x.audit",
                           "refusals-9.audit", "forwards-99999999999999999999.audit"}) {
    std::ofstream(files.directory.path() / name) << "theirs";
  }
  const auto series = files.open();
  CHECK(series->files().empty());
  REQUIRE_FALSE(series->append("ours", files.now));
  series->expire(files.now + 100h);
  CHECK(files.names().size() == 5);
}

TEST_CASE("a write that fails is told, and the next one begins a new file") {
  Files files;
  const auto series = files.open();
  REQUIRE_FALSE(series->append("one", files.now));
  std::filesystem::remove_all(files.directory.path());
  const auto error = series->append("two", files.now + 2h);
  REQUIRE(error);
  CHECK(error->find("cannot open") == 0);
  CHECK(error->find("forwards-2.audit: No such file or directory") != std::string::npos);
  std::filesystem::create_directory(files.directory.path());
  REQUIRE_FALSE(series->append("three", files.now + 2h));
  CHECK(series->read(2) == "three");
}

TEST_CASE("a file that vanished or was replaced is told once, and followed by another") {
  Files files;
  const auto series = files.open();
  REQUIRE_FALSE(series->append("one", files.now));
  CHECK_FALSE(series->check());
  const auto path = files.directory.path() / "forwards-1.audit";
  SECTION("vanished") {
    std::filesystem::remove(path);
    CHECK(series->check() == path.string() + " was deleted, and its entries are lost");
    CHECK(series->bytes() == 0);
  }
  SECTION("replaced") {
    std::ofstream(path.string() + ".new") << "another";
    std::filesystem::rename(path.string() + ".new", path);
    CHECK(series->check() == path.string() + " was replaced, and its entries are lost");
  }
  CHECK_FALSE(series->check());
  CHECK_FALSE(series->append("two", files.now));
  CHECK_FALSE(series->check());
  std::string all;
  for (const auto& file : series->files()) all += series->read(file.number).value_or("");
  CHECK_THAT(all, Catch::EndsWith("two"));
}

TEST_CASE("a directory that vanished is made again where it was, and nowhere else") {
  TemporaryDirectory outer;
  const auto store = outer.path() / "store";
  const auto audit = store / "audit";
  std::filesystem::create_directories(audit);
  AuditSeries series(audit, "forwards", {mib, 8h});
  series.open();
  const WallTime now{std::chrono::hours(500'000)};
  REQUIRE_FALSE(series.append("one", now));
  std::filesystem::remove_all(audit);
  CHECK(series.check());
  CHECK_FALSE(series.append("two", now));
  CHECK(series.read(1) == "two");

  std::filesystem::rename(store, outer.path() / "away");
  std::filesystem::create_directory(store);
  CHECK(series.check());
  CHECK(series.append("three", now));
  CHECK_FALSE(std::filesystem::exists(audit));
}
