// What the child that is killed and the test that looks afterwards agree on: the key, the terms
// and the ending of each number.
#pragma once

#include <cstdint>
#include <string>

#include "store/store.hpp"

namespace onceproxy::store::crash {

enum class Ending { completed, released, unknown };

inline Ending ending_of(std::uint64_t number) {
  switch (number % 4) {
    case 0:
      return Ending::released;
    case 1:
      return Ending::unknown;
    default:
      return Ending::completed;
  }
}

inline ReserveRequest request_of(std::uint64_t number) {
  ReserveRequest out;
  std::uint64_t bits = number;
  for (std::uint8_t& byte : out.fingerprint.bytes) {
    bits = bits * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<std::uint8_t>(bits >> 56);
  }
  out.terms.lease = std::chrono::hours(1);
  out.policy = "crash";
  out.request_id = "request";
  return out;
}

/// Some small enough for the record, some lying apart.
inline StoredAnswer answer_of(std::uint64_t number) {
  const std::string text = std::to_string(number);
  return {200, "x-number: " + text + "\r\n", text + std::string(number % 8 == 3 ? 9'000 : 100, 'x'),
          true};
}

}  // namespace onceproxy::store::crash
