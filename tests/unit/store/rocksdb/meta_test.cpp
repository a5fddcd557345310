#include "store/rocksdb/meta.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::store;

TEST_CASE("a number of the store comes back as it was written, and nothing else is one") {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
    CHECK(meta::decode(meta::encode(value)) == value);
  }
  CHECK(meta::encode(0x0102) == std::string("\x02\x01\0\0\0\0\0\0", 8));
  CHECK_FALSE(meta::decode(""));
  CHECK_FALSE(meta::decode("1234567"));
  CHECK_FALSE(meta::decode("123456789"));
}
