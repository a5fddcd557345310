// RequestIds: new values of X-Request-Id, for requests that come without one: random UUIDs
// (RFC 9562, version 4), from xoroshiro128+ seeded by the kernel. They are unique, not secret.
// Not thread-safe: its worker's loop.
#pragma once

#include <cstdint>
#include <string>

namespace onceproxy::http {

class RequestIds {
 public:
  /// Throws std::runtime_error where the kernel gives no random numbers.
  RequestIds();
  std::string next();

 private:
  std::uint64_t random_[2];
};

}  // namespace onceproxy::http
