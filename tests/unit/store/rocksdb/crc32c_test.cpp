#include "store/rocksdb/crc32c.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>

using namespace onceproxy::store;

TEST_CASE("the checksums of RFC 3720, appendix B.4") {
  std::string rising;
  for (char c = 0; c < 32; ++c) rising += c;
  for (const auto sum : {crc32c, crc32c_by_table}) {
    CHECK(sum("") == 0);
    CHECK(sum("123456789") == 0xE3069283);
    CHECK(sum(std::string(32, '\0')) == 0x8A9136AA);
    CHECK(sum(std::string(32, '\xFF')) == 0x62A8AB43);
    CHECK(sum(rising) == 0x46DD794E);
  }
}

TEST_CASE("both ways give one checksum, whatever the length") {
  std::mt19937 random(3);
  std::string bytes;
  for (int size = 0; size < 600; ++size) {
    REQUIRE(crc32c(bytes) == crc32c_by_table(bytes));
    bytes += static_cast<char>(random());
  }
}
