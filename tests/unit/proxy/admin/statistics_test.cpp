#include "proxy/admin/statistics.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::admin {
namespace {

TEST_CASE("A value that JSON has no number for is null") {
  CHECK(Statistics().json("a 1\nb +Inf\nc -Inf\nd Nan\ne 1.5e+06\n") ==
        R"({"stats":[{"name":"a","value":1},{"name":"b","value":null},{"name":"c","value":null},)"
        R"({"name":"d","value":null},{"name":"e","value":1.5e+06}]})"
        "\n");
}

TEST_CASE("A difference with many digits is written in full") {
  Statistics statistics;
  statistics.reset("# TYPE a counter\na 0.1\n");
  const std::string lines = statistics.lines("# TYPE a counter\na 0.10000000000000002\n");
  CHECK(lines == "a: 0.000000000000000013877787807814457\n");
}

}  // namespace
}  // namespace onceproxy::admin
