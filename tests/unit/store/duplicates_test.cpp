#include "store/duplicates.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {
WallTime at(int seconds) {
  return WallTime(std::chrono::seconds(seconds));
}
}  // namespace

TEST_CASE("duplicates are counted for each operation, with the last one's time") {
  Duplicates duplicates(10);
  duplicates.note(fingerprint(1), at(10), 5s);
  duplicates.note(fingerprint(1), at(12), 5s);
  duplicates.note(fingerprint(2), at(11), 5s);
  const auto noted = duplicates.noted(fingerprint(1));
  REQUIRE(noted);
  CHECK(noted->number == 2);
  CHECK(noted->last == at(12));
  CHECK(noted->expires == at(17));
  CHECK(duplicates.noted(fingerprint(2))->number == 1);
  CHECK_FALSE(duplicates.noted(fingerprint(3)));
}

TEST_CASE("counts of a forgotten operation are not added to the next one") {
  Duplicates duplicates(10);
  duplicates.note(fingerprint(1), at(10), 5s);
  duplicates.note(fingerprint(1), at(15), 5s);
  CHECK(duplicates.noted(fingerprint(1))->number == 1);
  CHECK(duplicates.noted(fingerprint(1))->last == at(15));
}

TEST_CASE("a full table counts what it knows and nothing new, until some is taken") {
  Duplicates duplicates(3);
  for (std::uint64_t n = 0; n < 5; ++n) duplicates.note(fingerprint(n), at(1), 5s);
  duplicates.note(fingerprint(0), at(2), 5s);
  CHECK(duplicates.noted(fingerprint(0))->number == 2);
  CHECK_FALSE(duplicates.noted(fingerprint(3)));
  CHECK(duplicates.take(2).size() == 2);
  duplicates.note(fingerprint(3), at(3), 5s);
  CHECK(duplicates.noted(fingerprint(3)));
}

TEST_CASE("so many are taken and no more, each once, and all in the end") {
  Duplicates duplicates(1'000);
  for (std::uint64_t n = 0; n < 500; ++n) duplicates.note(fingerprint(n), at(1), 5s);
  std::map<Fingerprint, std::uint64_t> taken;
  for (;;) {
    const auto some = duplicates.take(70);
    CHECK(some.size() <= 70);
    if (some.empty()) break;
    for (const auto& [name, count] : some) taken[name] += count.number;
  }
  CHECK(taken.size() == 500);
  for (const auto& [name, number] : taken) CHECK(number == 1);
}

TEST_CASE("an expired count is not continued") {
  const DuplicateCount earlier{7, at(10), at(20)};
  CHECK(sum(earlier, {2, at(19), at(25)}).number == 9);
  CHECK(sum(earlier, {2, at(19), at(25)}).last == at(19));
  CHECK(sum(earlier, {2, at(19), at(15)}).expires == at(20));
  CHECK(sum(earlier, {2, at(20), at(25)}).number == 2);
}

TEST_CASE("a count comes back from its bytes, and from nothing else") {
  const DuplicateCount count{1'234'567'890'123, at(10), at(20)};
  const std::string bytes = encode(count);
  const auto decoded = decode_duplicates(bytes);
  REQUIRE(decoded);
  CHECK(decoded->number == count.number);
  CHECK(decoded->last == count.last);
  CHECK(decoded->expires == count.expires);
  CHECK(decode_duplicates_expiry(bytes) == at(20));
  CHECK_FALSE(decode_duplicates(bytes + "x"));
  CHECK_FALSE(decode_duplicates(bytes.substr(1)));
  CHECK_FALSE(decode_duplicates(""));
  std::string other = bytes;
  other[0] = 2;
  CHECK_FALSE(decode_duplicates(other));
}
