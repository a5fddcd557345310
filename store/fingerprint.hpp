// The 32-byte names everything here turns on: which operation a request stands for, what must not
// differ between two requests for it, which entity it acts on, and which rate limit it counts
// against. Plain values; how they are computed is the business of policies/. Thread-safe as any
// value is.
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

/// A SHA-256 value. `Tag` keeps values of different meaning from being mixed up.
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

  /// Reads what hex() writes (upper case too); nothing else.
  static std::optional<Digest> from_hex(std::string_view text) {
    Digest out;
    if (!read_hex(text, out.bytes)) return std::nullopt;
    return out;
  }
};

/// Names one operation; policies/README.md tells what it is made of.
using Fingerprint = Digest<struct FingerprintTag>;
/// Covers what must not differ between two requests with one fingerprint.
using PayloadDigest = Digest<struct PayloadTag>;
/// Raised with any change in how policies compute these two, so that a store knows where its
/// records may have earlier ones.
inline constexpr std::uint64_t digests_version = 2;

/// What the version of the digests before this one calls an operation and its payload.
struct EarlierDigests {
  Fingerprint fingerprint;
  std::optional<PayloadDigest> payload;

  friend bool operator==(const EarlierDigests&, const EarlierDigests&) = default;
};

/// Names one entity by its type and id, whichever policy asks; see policies/README.md.
using EntityKey = Digest<struct EntityTag>;
/// Names one bucket of a rate limit.
using RateKey = Digest<struct RateTag>;

}  // namespace onceproxy::store

/// A SHA-256 value is uniformly distributed: its first bytes are hash enough.
template <typename Tag>
struct std::hash<onceproxy::store::Digest<Tag>> {
  std::size_t operator()(const onceproxy::store::Digest<Tag>& digest) const noexcept {
    std::size_t out;
    std::memcpy(&out, digest.bytes.data(), sizeof out);
    return out;
  }
};
