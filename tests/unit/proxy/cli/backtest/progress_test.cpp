#include "proxy/cli/backtest/progress.hpp"

#include <catch2/catch.hpp>
#include <sstream>

namespace onceproxy::backtest {
namespace {

TEST_CASE("a bar and a percentage where the whole is known") {
  CHECK(progress_text(0, 1000, 0) == "[                              ]   0% 0 requests");
  CHECK(progress_text(500, 1000, 70) == "[###############               ]  50% 70 requests");
  CHECK(progress_text(1000, 1000, 140) == "[##############################] 100% 140 requests");
  CHECK(progress_text(5000, 1000, 140) == "[##############################] 100% 140 requests");
  CHECK(progress_text(3, 7, 1) == "[############                  ]  42% 1 requests");
}

TEST_CASE("only a count where it is not") {
  CHECK(progress_text(500, std::nullopt, 70) == "70 requests");
  CHECK(progress_text(0, 0, 0) == "0 requests");
}

TEST_CASE("a terminal sees the line, and not when it is over") {
  std::ostringstream out;
  {
    Progress progress(out, true, 100);
    progress.show(50, 1);
  }
  CHECK(out.str() == "\r\x1b[K[###############               ]  50% 1 requests\r\x1b[K");
}

TEST_CASE("without a terminal nothing is written") {
  std::ostringstream out;
  {
    Progress progress(out, false, 100);
    for (std::uint64_t i = 0; i < 5000; ++i) progress.show(i, i);
  }
  CHECK(out.str().empty());
}

}  // namespace
}  // namespace onceproxy::backtest
