#include "proxy/cli/backtest/gunzip.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace onceproxy::backtest {
namespace {

/// `printf abc | gzip -n`.
const std::string abc(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b\x4c\x4a\x06\x00\xc2\x41\x24\x35\x03\x00\x00\x00",
    23);

/// All of it, fed in pieces of `step` bytes.
std::string unpacked(const std::string& bytes, std::size_t step, bool& complete) {
  Gunzip gunzip;
  std::string out;
  char room[2];
  const auto take = [&](std::string_view piece) {
    while (true) {
      const auto size = gunzip.feed(piece, room);
      REQUIRE(size);
      out.append(room, *size);
      if (*size == 0 && piece.empty()) return;
    }
  };
  for (std::size_t i = 0; i < bytes.size(); i += step) {
    take(std::string_view(bytes).substr(i, step));
  }
  complete = gunzip.complete();
  return out;
}

}  // namespace

TEST_CASE("a gzip file is read in pieces of any size, several members as one") {
  CHECK(begins_like_gzip(abc));
  CHECK_FALSE(begins_like_gzip("{"));
  bool complete = false;
  for (const std::size_t step : {std::size_t{23}, std::size_t{46}, std::size_t{100}}) {
    CAPTURE(step);
    CHECK(unpacked(abc, step, complete) == "abc");
    CHECK(complete);
    CHECK(unpacked(abc + abc, step, complete) == "abcabc");
    CHECK(complete);
  }
  CHECK(unpacked(abc + abc, 1, complete) == "abcabc");
  CHECK(complete);
}

TEST_CASE("zeros behind the last member are padding") {
  bool complete = false;
  CHECK(unpacked(abc + std::string(5, '\0'), 100, complete) == "abc");
  CHECK(complete);
}

TEST_CASE("a file that breaks off is not complete, and one that is broken is told") {
  bool complete = true;
  CHECK(unpacked(abc.substr(0, 20), 100, complete) == "abc");
  CHECK_FALSE(complete);
  std::string broken = abc;
  broken[15] = '\x7f';
  Gunzip gunzip;
  char room[16];
  std::string_view bytes = broken;
  CHECK_FALSE(gunzip.feed(bytes, room));
}

}  // namespace onceproxy::backtest
