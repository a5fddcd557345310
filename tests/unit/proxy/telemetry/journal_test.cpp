#include "proxy/telemetry/journal.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

namespace onceproxy::telemetry {
namespace {

TEST_CASE("a descriptor goes to the journal where its device and inode are the stream's") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  struct stat status {};
  REQUIRE(::fstat(ends[1], &status) == 0);
  const std::string stream = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);

  ::unsetenv("JOURNAL_STREAM");
  CHECK_FALSE(goes_to_journal(ends[1]));
  ::setenv("JOURNAL_STREAM", stream.c_str(), 1);
  CHECK(goes_to_journal(ends[1]));
  ::setenv("JOURNAL_STREAM", (stream + "1").c_str(), 1);
  CHECK_FALSE(goes_to_journal(ends[1]));
  ::setenv("JOURNAL_STREAM", "", 1);
  CHECK_FALSE(goes_to_journal(ends[1]));
  ::unsetenv("JOURNAL_STREAM");
  ::close(ends[0]);
  ::close(ends[1]);
  CHECK_FALSE(goes_to_journal(-1));
}

TEST_CASE("a level is a priority of syslog") {
  CHECK(journal_priority(LogLevel::error) == "<3>");
  CHECK(journal_priority(LogLevel::warn) == "<4>");
  CHECK(journal_priority(LogLevel::info) == "<6>");
  CHECK(journal_priority(LogLevel::debug) == "<7>");
  CHECK(journal_priority(LogLevel::trace) == "<7>");
}

}  // namespace
}  // namespace onceproxy::telemetry
