#include "store/audit/log.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "audit_fixture.hpp"
#include "store/audit/pad.hpp"
#include "store/audit/walk.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

struct Logs {
  TemporaryDirectory directory;
  ManualClock clock;
  AuditOptions options;
  std::vector<std::string> failures;

  std::unique_ptr<AuditLog> open() {
    return std::make_unique<AuditLog>(
        directory.path() / "audit", options, clock,
        [this](std::string_view detail) { failures.emplace_back(detail); });
  }
};

/// How many entries the newest file holds, besides the one that it begins with.
std::size_t entries(const AuditSeries& series) {
  const auto files = series.files();
  if (files.empty()) return 0;
  const std::string bytes = series.read(files.back().number).value_or("");
  std::size_t count = 0;
  for (AuditWalk walk(bytes); walk.next();) {
    const auto entry = walk.entry();
    if (entry && !std::holds_alternative<AuditFile>(*entry)) ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("written entries are there at once, handed-over entries when the log is closed") {
  Logs logs;
  const auto log = logs.open();
  CHECK(entries(log->forwards()) == 1);  // that a process began
  log->write(bytes_of(forward(1, logs.clock.now()), ending(1, logs.clock.now())), 2);
  CHECK(entries(log->forwards()) == 3);
  log->hand_over(bytes_of(refusal(1, logs.clock.now())), 1);
  log->act({.action = "POST", .target = "/reload"});
  log->end(ending(2, logs.clock.now()));
  log->close();
  log->close();
  CHECK(entries(log->forwards()) == 5);
  CHECK(entries(log->refusals()) == 1);
  CHECK(log->bytes() > 0);
  CHECK(log->dropped() == 0);
  log->hand_over(bytes_of(refusal(1, logs.clock.now())), 1);
  CHECK(log->dropped() == 1);
  CHECK(logs.failures.empty());
}

TEST_CASE("a pad hands over when it is told to, and before it is full") {
  Logs logs;
  const auto log = logs.open();
  AuditPad pad(log.get());
  CHECK(pad.wanted());
  pad.hand_over();
  for (int i = 0; i < 3; ++i) pad.note(refusal(1, logs.clock.now()));
  pad.hand_over();
  pad.hand_over();
  AuditPad many(log.get());
  std::size_t noted = 0;
  for (std::size_t bytes = 0; bytes < (std::size_t{64} << 10); ++noted) {
    many.note(refusal(1, logs.clock.now()));
    bytes += bytes_of(refusal(1, logs.clock.now())).size();
  }
  log->close();
  const std::size_t written = entries(log->refusals());
  CHECK(written > 3);
  CHECK(written < 3 + noted);
  CHECK(log->dropped() == 0);
}

TEST_CASE("a pad without a log notes nothing") {
  AuditPad pad(nullptr);
  CHECK_FALSE(pad.wanted());
  pad.note(refusal(1, at(0)));
  pad.hand_over();
}

TEST_CASE("entries that cannot be written are counted and reported once, and delay no request") {
  Logs logs;
  logs.options.retention = 8h;  // a file takes entries for an hour
  const auto log = logs.open();
  // Together with its parent directory, so that the file cannot be created again.
  std::filesystem::remove_all(logs.directory.path());
  logs.clock.advance(2h);
  const std::string entry = bytes_of(forward(1, logs.clock.now()));
  for (int i = 0; i < 10; ++i) log->write(entry, 1);
  log->close();
  CHECK(log->dropped() == 10);
  // Once, but where a second went by between two of them.
  CHECK(logs.failures.size() >= 1);
  CHECK(logs.failures.size() <= 3);
  CHECK(Seen::contains(logs.failures, "cannot open "));
  CHECK(Seen::contains(logs.failures, ".audit: No such file"));
}

TEST_CASE("a storm that nobody can write in time is dropped and counted") {
  Logs logs;
  const auto log = logs.open();
  // More than may wait at once, in one piece: it is dropped whatever the writer does.
  log->hand_over(std::string(std::size_t{9} << 20, 'x'), 100);
  CHECK(log->dropped() == 100);
}

TEST_CASE("a directory that cannot be made is an error that names the way out") {
  Logs logs;
  std::ofstream(logs.directory.path() / "audit") << "a file";
  CHECK_THROWS_WITH(logs.open(), Catch::Contains("cannot open the audit log in") &&
                                     Catch::Contains("audit: {enabled: false}"));
}

TEST_CASE("entries that are too old are removed, unless the clock may be wrong") {
  Logs logs;
  logs.options.retention = 8h;
  const auto log = logs.open();
  logs.clock.advance(2h);
  log->write(bytes_of(forward(1, logs.clock.now())), 1);
  REQUIRE(log->forwards().files().size() == 2);
  logs.clock.advance(7h);
  bool goes = false;
  SECTION("as a rule") {
    goes = true;
  }
  SECTION("a clock that is not believed") {
    logs.clock.doubt(true);
  }
  SECTION("a wall clock that stands elsewhere, by which files are dated") {
    logs.clock.set_wall_ahead(GENERATE(-2h, 2h));
  }
  log->close();
  CHECK(log->forwards().files().size() == (goes ? 1 : 2));
}
