#include "store/utc_text.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::store {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

TEST_CASE("a point in time is written in UTC") {
  CHECK(utc_text(sys_seconds(seconds(0))) == "1970-01-01T00:00:00Z");
  CHECK(utc_text(sys_seconds(seconds(1'764'232'945))) == "2025-11-27T08:42:25Z");
  CHECK(utc_text(sys_seconds(seconds(951'782'400))) == "2000-02-29T00:00:00Z");
  CHECK(utc_text(sys_seconds(seconds(-1))) == "1969-12-31T23:59:59Z");
}

}  // namespace
}  // namespace onceproxy::store
