// The 32-byte digests that identify an operation, its payload, its entity and its rate limit. Plain
// values; policies/ computes them. Thread-safe.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "store/hex.hpp"

namespace onceproxy::store {

/// A SHA-256 value. `Tag` prevents values of different meaning from being confused.
template <typename Tag>
struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  friend bool operator==(const Digest&, const Digest&) = default;
  friend auto operator<=>(const Digest&, const Digest&) = default;  // NOLINT(*-use-nullptr)

  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  /// 64 lower-case hexadecimal digits.
  std::string hex() const { return store::hex(view()); }

  /// Reads the result of hex(), also in upper case.
  static std::optional<Digest> from_hex(std::string_view text) {
    Digest out;
    if (!read_hex(text, out.bytes)) return std::nullopt;
    return out;
  }
};

/// Identifies an operation; policies/README.md describes how it is computed.
using Fingerprint = Digest<struct FingerprintTag>;
/// The digest of what must not differ between two requests with the same fingerprint.
using PayloadDigest = Digest<struct PayloadTag>;
/// Incremented with each change in how policies compute these two, so that a store knows when it
/// may have earlier digests.
inline constexpr std::uint64_t digests_version = 2;

/// The digests of an operation and its payload in the previous version.
struct EarlierDigests {
  Fingerprint fingerprint;
  std::optional<PayloadDigest> payload;

  friend bool operator==(const EarlierDigests&, const EarlierDigests&) = default;
};

/// Identifies an entity by its type and id, the same for all policies; see policies/README.md.
using EntityKey = Digest<struct EntityTag>;
/// Identifies a bucket of a rate limit.
using RateKey = Digest<struct RateTag>;

}  // namespace onceproxy::store

/// A SHA-256 value is uniformly distributed, so its first bytes are a sufficient hash.
template <typename Tag>
struct std::hash<onceproxy::store::Digest<Tag>> {
  std::size_t operator()(const onceproxy::store::Digest<Tag>& digest) const noexcept {
    std::size_t out;
    std::memcpy(&out, digest.bytes.data(), sizeof out);
    return out;
  }
};
