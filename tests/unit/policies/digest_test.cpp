#include "policies/digest.hpp"

#include <catch2/catch.hpp>

#include "store/fingerprint.hpp"

using namespace onceproxy;

TEST_CASE("digests are SHA-256, one after the other") {
  const std::pair<std::string, std::string> cases[] = {
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {std::string(1'000'000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
  };
  for (const auto& [bytes, hex] : cases) {
    CHECK(store::Fingerprint{policies::sha256(bytes)}.hex() == hex);
  }
}
