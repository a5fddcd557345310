// Determines which fingerprints belong to a share of them, for a policy that is enforced by
// percent. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <cstring>

#include "store/fingerprint.hpp"

namespace onceproxy::policies {

/// A fingerprint is always on the same side, and one that is inside at a lower percentage is also
/// inside at every higher one. `percent`: 0 (none) to 100 (all).
inline bool in_share(const store::Fingerprint& fingerprint, int percent) {
  // These bytes are used by neither a hash table nor the shards of the store.
  std::uint32_t number = 0;
  std::memcpy(&number, fingerprint.bytes.data() + 16, sizeof number);
  return number % 100 < static_cast<std::uint32_t>(percent);
}

}  // namespace onceproxy::policies
