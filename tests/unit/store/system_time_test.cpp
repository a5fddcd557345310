#include "store/system_time.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::store {
namespace {

using std::chrono::system_clock;
using namespace std::chrono_literals;

constexpr std::time_t year_9999 = 253'402'300'799;
constexpr std::time_t year_1 = -62'135'596'800;

TEST_CASE("a time that the system's clock can count is exact") {
  CHECK(system_time_of(0) == system_clock::time_point());
  CHECK(system_time_of(1'764'318'000) == system_clock::from_time_t(1'764'318'000));
  CHECK(system_time_of(-1) == system_clock::time_point(-1s));
}

TEST_CASE("a time beyond the ends of the system's clock stays on its side") {
  CHECK(system_time_of(year_9999) > system_clock::from_time_t(9'000'000'000));
  CHECK(system_time_of(year_9999) <= system_clock::time_point::max());
  CHECK(system_time_of(year_1) < system_clock::from_time_t(-9'000'000'000));
  CHECK(system_time_of(year_1) >= system_clock::time_point::min());
}

}  // namespace
}  // namespace onceproxy::store
