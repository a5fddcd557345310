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

TEST_CASE("the memory of digests is read back as written, and other bytes are refused") {
  const meta::DigestsMemory memory{2, 1u << 20, WallTime(std::chrono::milliseconds(-5))};
  const auto bytes = meta::encode(memory);
  const auto back = meta::decode_digests(bytes);
  REQUIRE(back);
  CHECK(back->version == 2);
  CHECK(back->earlier_fence == 1u << 20);
  CHECK(back->since == memory.since);
  CHECK_FALSE(meta::decode_digests(bytes + "x"));
  CHECK_FALSE(meta::decode_digests(bytes.substr(1)));
}
