#include "proxy/io/buffer.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <string>

namespace onceproxy::io {
namespace {

/// Reads up to `bytes` into the buffer's room; what was taken.
std::size_t read(Buffer& buffer, std::string_view bytes, std::size_t bytes_max) {
  const auto room = buffer.prepare(bytes_max);
  const std::size_t size = std::min(room.size, bytes.size());
  if (size > 0) std::memcpy(room.data, bytes.data(), size);
  buffer.commit(size);
  return size;
}

TEST_CASE("a new buffer holds nothing and has room for a first read") {
  Buffer buffer;
  CHECK(buffer.empty());
  CHECK(buffer.view().empty());
  buffer.consume(0);
  CHECK(buffer.prepare(1'000'000).size == Buffer::initial_bytes);
  CHECK(buffer.prepare(10).size == 10);
  CHECK(buffer.prepare(0).size == 0);
}

TEST_CASE("a buffer never holds more than it may") {
  Buffer buffer;
  const std::string bytes(100'000, 'x');
  std::size_t taken = 0;
  while (const std::size_t size = read(buffer, bytes, 50'001)) taken += size;
  CHECK(taken == 50'001);
  CHECK(buffer.size() == 50'001);
  CHECK(buffer.prepare(50'001).size == 0);
  CHECK(buffer.prepare(100).size == 0);
  buffer.consume(1);
  CHECK(buffer.prepare(50'001).size == 1);
}

TEST_CASE("reads that fill the buffer become larger up to the bound, and others do not") {
  Buffer buffer;
  const std::string bytes(100'000, 'x');
  std::size_t largest = 0;
  for (int i = 0; i < 10; ++i) {
    largest = read(buffer, bytes, 50'000);
    buffer.consume(largest);
  }
  CHECK(largest == 50'000);
  buffer.shrink();
  for (int i = 0; i < 10; ++i) {
    CHECK(read(buffer, std::string_view(bytes).substr(0, 1'000), 50'000) == 1'000);
    buffer.consume(1'000);
  }
  CHECK(buffer.prepare(50'000).size == Buffer::initial_bytes);
}

TEST_CASE("bytes are read in the order in which they were written") {
  std::mt19937 random(7);
  const auto up_to = [&](std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(0, most)(random);
  };
  Buffer buffer;
  std::string expected;
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t bytes_max = step % 3 == 0 ? 1 + up_to(300) : 1 + up_to(20'000);
    std::string bytes(1 + up_to(3000), '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const std::size_t before = buffer.size();
    const std::size_t size = read(buffer, bytes, bytes_max);
    // Room for at least one byte, unless the bound is reached.
    REQUIRE((size > 0) == (before < bytes_max));
    REQUIRE(buffer.size() <= std::max(before, bytes_max));
    expected += bytes.substr(0, size);
    const std::size_t used = up_to(2) == 0 ? buffer.size() : up_to(buffer.size());
    buffer.consume(used);
    expected.erase(0, used);
    if (buffer.empty() && up_to(3) == 0) buffer.shrink();
    REQUIRE(buffer.view() == expected);
  }
}

TEST_CASE("consuming moves no bytes") {
  Buffer buffer;
  read(buffer, "abcdef", 100);
  const char* at = buffer.view().data();
  buffer.consume(2);
  CHECK(buffer.view().data() == at + 2);
  read(buffer, "gh", 100);
  CHECK(buffer.view().data() == at + 2);
  CHECK(buffer.view() == "cdefgh");
}

TEST_CASE("memory that one large message needed is given back") {
  Buffer buffer;
  const std::string bytes(200'000, 'x');
  while (read(buffer, bytes, 200'000) > 0) {
  }
  buffer.consume(buffer.size());
  CHECK(buffer.prepare(1'000'000).size > 4 * Buffer::initial_bytes);
  buffer.shrink();
  CHECK(buffer.empty());
  CHECK(buffer.prepare(1'000'000).size == Buffer::initial_bytes);
}

}  // namespace
}  // namespace onceproxy::io
