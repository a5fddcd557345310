#include "store/sequence.hpp"

#include <catch2/catch.hpp>
#include <limits>

using namespace onceproxy::store;

TEST_CASE("sequences of one kind are ordered, those of two are not") {
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  constexpr std::uint64_t all = std::numeric_limits<std::uint64_t>::max();
  const Sequence rising[][4] = {
      {least, -1, 0, 7},
      {Sequence::of_time(-1, 5), Sequence::of_time(0, 0), Sequence::of_time(0, 1),
       Sequence::of_time(1, 0)},
      {Sequence::of_hex(0, 1), Sequence::of_hex(1, 0), Sequence::of_hex(all, 0),
       Sequence::of_hex(all, all)},
  };
  for (const auto& kind : rising) {
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 4; ++j) {
        CHECK((kind[i] < kind[j]) == (i < j));
        CHECK((kind[i] == kind[j]) == (i == j));
      }
    }
    for (const auto& other : rising) {
      if (&other == &kind) continue;
      CHECK_FALSE(kind[0] < other[3]);
      CHECK_FALSE(other[3] <= kind[0]);
      CHECK_FALSE(kind[0] == other[0]);
    }
  }
}

TEST_CASE("a sequence is shown as a sender would write it") {
  CHECK(text(Sequence(-3)) == "-3");
  CHECK(text(Sequence::of_time(1'767'323'045, 0)) == "2026-01-02T03:04:05Z");
  CHECK(text(Sequence::of_time(1'767'323'045, 100'000'000'000'000'000)) ==
        "2026-01-02T03:04:05.1Z");
  CHECK(text(Sequence::of_time(-1, 1)) == "1969-12-31T23:59:59.000000000000000001Z");
  CHECK(text(Sequence::of_hex(0x0055AED6DCD90281, 0xE500000000000000)) == "0055aed6dcd90281e5");
  CHECK(text(Sequence::of_hex(0, 0)) == "0");
}
