#include "store/audit/walk.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "audit_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

/// The fences of what can be read, in order.
std::vector<std::uint64_t> fences(std::string_view bytes) {
  std::vector<std::uint64_t> out;
  AuditWalk walk(bytes);
  while (walk.next()) {
    const auto entry = walk.entry();
    if (entry) out.push_back(std::get<AuditForward>(*entry).fence);
  }
  return out;
}

std::string some(std::uint64_t first, std::uint64_t last) {
  std::string out;
  for (; first <= last; ++first) append(out, forward(first, at(1'000)));
  return out;
}

using Fences = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("a walk gives every entry in order, and where it begins") {
  const std::string bytes = some(1, 3);
  CHECK(fences(bytes) == Fences{1, 2, 3});
  AuditWalk walk(bytes);
  REQUIRE(walk.next());
  CHECK(walk.offset() == 0);
  REQUIRE(walk.next());
  CHECK(walk.offset() == some(1, 1).size());
  REQUIRE(walk.next());
  CHECK_FALSE(walk.next());
  CHECK_FALSE(walk.next());
}

TEST_CASE("a walk ends at a torn tail") {
  const std::string bytes = some(1, 3);
  const std::size_t two = some(1, 2).size();
  for (std::size_t size = two; size < bytes.size(); ++size) {
    CHECK(fences(std::string_view(bytes).substr(0, size)) == Fences{1, 2});
  }
}

TEST_CASE("a walk resumes behind a torn write and behind zeros") {
  const std::string torn = some(1, 2).substr(0, some(1, 1).size() + 50);
  CHECK(fences(torn + some(3, 4)) == Fences{1, 3, 4});
  CHECK(fences(some(1, 1) + std::string(4'096, '\0') + some(2, 2)) == Fences{1, 2});
}

TEST_CASE("a damaged entry costs itself and no other") {
  const std::string bytes = some(1, 3);
  const std::size_t size = some(1, 1).size();
  for (std::size_t i = size; i < 2 * size; ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
    CHECK(fences(damaged) == Fences{1, 3});
  }
}

TEST_CASE("if one entry is damaged, all others are found, and none is invented") {
  std::mt19937_64 random(GENERATE(1, 2, 3, 4));
  constexpr std::uint64_t count = 40;
  const std::string whole = some(1, count);
  const std::size_t size = whole.size() / count;
  for (int round = 0; round < 200; ++round) {
    std::string bytes = whole;
    const std::size_t begin = random() % bytes.size();
    const std::size_t end = std::min(bytes.size(), begin + random() % (4 * size));
    for (std::size_t i = begin; i < end; ++i) bytes[i] = static_cast<char>(random());
    Fences expected;
    for (std::uint64_t fence = 1; fence <= count; ++fence) {
      const bool hit = begin < fence * size && end > (fence - 1) * size && begin < end;
      // Random bytes may be what was there.
      const bool same =
          bytes.compare((fence - 1) * size, size, whole, (fence - 1) * size, size) == 0;
      if (!hit || same) expected.push_back(fence);
    }
    CHECK(fences(bytes) == expected);
  }
}

TEST_CASE("an entry of a kind that is not known yet is passed over") {
  // Kind 200 with a size of 16 and its check byte, whatever its sum.
  std::string later("\x10\x00\xc8", 3);
  later.push_back(static_cast<char>(0xA5 + 31 * 16 + 91 * 200));
  later.append(4 + 16, 'x');
  CHECK(fences(some(1, 1) + later + some(2, 2)) == Fences{1, 2});
}
