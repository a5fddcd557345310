#include "proxy/cli/backtest/log_reader.hpp"

#include <catch2/catch.hpp>
#include <sstream>

namespace onceproxy::backtest {
namespace {

/// "line target" or "line: why" for each item, and what was wrong at the end.
std::vector<std::string> read(const std::string& log, std::size_t items_max = 100) {
  std::istringstream stream(log);
  Input input(stream);
  std::vector<std::string> out;
  const auto whole = read_log(input, [&](LogItem item) {
    const std::string line = std::to_string(item.line);
    out.push_back(item.request ? line + " " + item.request->target
                               : line + ": " + item.request.error());
    return out.size() < items_max;
  });
  if (!whole)
    out.push_back((whole.error().unreadable ? "unreadable: " : "") + whole.error().message);
  return out;
}

using Items = std::vector<std::string>;

TEST_CASE("JSON lines and HAR are told apart") {
  CHECK(read("{\"time\":1,\"method\":\"GET\",\"url\":\"/a\"}\nx\n"
             "{\"time\":1,\"method\":\"GET\",\"url\":\"/b\"}") ==
        Items{"1 /a", "2: it is not a JSON object", "3 /b"});
  CHECK(read("{\"log\":{\"entries\":[\n{\"startedDateTime\":\"2026-01-02T03:04:05Z\",\"request\":"
             "{\"method\":\"GET\",\"url\":\"http://h/a\"}},\n{}]}}") ==
        Items{"2 /a", "3: it has no \"request\""});
}

TEST_CASE("a byte order mark is no part of the log") {
  CHECK(read("\xef\xbb\xbf{\"time\":1,\"method\":\"GET\",\"url\":\"/a\"}") == Items{"1 /a"});
  CHECK(read("\xef\xbb\xbf{\"log\":{\"entries\":[]}}").empty());
}

TEST_CASE("an empty log has no items") {
  CHECK(read("").empty());
  CHECK(read("\n\n").empty());
}

TEST_CASE("reading ends where nothing more is wanted") {
  CHECK(read("1\n2\n3\n", 2).size() == 2);
}

TEST_CASE("a HAR file that breaks off says so after its entries") {
  CHECK(read("{\"log\":{\"entries\":[{}") ==
        Items{"1: it has no \"request\"", "it breaks off: the document does not end"});
}

TEST_CASE("a log far longer than a chunk is read whole") {
  std::string log;
  for (int i = 0; i < 20'000; ++i) {
    log += "{\"time\":1,\"method\":\"GET\",\"url\":\"/" + std::to_string(i) + "\"}\n";
  }
  const auto items = read(log, 100'000);
  REQUIRE(items.size() == 20'000);
  CHECK(items.back() == "20000 /19999");
}

TEST_CASE("a file that cannot be opened is reported with the reason") {
  CHECK(Input::open("/nowhere").error() == "cannot read /nowhere: No such file or directory");
  CHECK(Input::open("/tmp").error() == "cannot read /tmp: Is a directory");
}

}  // namespace
}  // namespace onceproxy::backtest
