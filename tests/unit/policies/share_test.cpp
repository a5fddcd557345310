#include "policies/share.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "policies/digest.hpp"

namespace onceproxy::policies {
namespace {

store::Fingerprint fingerprint(int number) {
  store::Fingerprint out;
  out.bytes = sha256("ride " + std::to_string(number));
  return out;
}

TEST_CASE("ten percent of 10,000 fingerprints are between nine and eleven percent") {
  int inside = 0;
  for (int i = 0; i < 10'000; ++i) inside += in_share(fingerprint(i), 10) ? 1 : 0;
  CHECK(inside >= 900);
  CHECK(inside <= 1'100);
}

TEST_CASE("a fingerprint inside one percentage is inside every higher one") {
  for (int i = 0; i < 1'000; ++i) {
    bool inside = false;
    for (int percent = 0; percent <= 100; ++percent) {
      const bool now = in_share(fingerprint(i), percent);
      CHECK((now || !inside));
      inside = now;
    }
    CHECK(inside);
    CHECK_FALSE(in_share(fingerprint(i), 0));
  }
}

}  // namespace
}  // namespace onceproxy::policies
