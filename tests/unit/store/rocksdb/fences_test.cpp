#include "store/rocksdb/fences.hpp"

#include <catch2/catch.hpp>

using onceproxy::store::Fences;

TEST_CASE("the first number above the ceiling asks for a new one, those below it for none") {
  Fences fences;
  fences.start_above(7);
  const std::uint64_t first = fences.take();
  CHECK(first == 8);
  const auto ceiling = fences.ceiling_for(first);
  REQUIRE(ceiling);
  CHECK(*ceiling == 8 + Fences::block);
  CHECK(fences.ceiling_for(first).has_value());  // until it is written
  fences.ceiling_written(*ceiling);
  CHECK_FALSE(fences.ceiling_for(*ceiling));
  CHECK(fences.ceiling_for(*ceiling + 1));
}
