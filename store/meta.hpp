// The few values the store keeps about itself, in the family `meta`:
//
//   "format"        := u64, little-endian: 1. A directory with another one is refused.
//   "fence ceiling" := u64, little-endian: no fence above it was ever answered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::store::meta {

inline constexpr std::string_view format = "format";
inline constexpr std::string_view fence_ceiling = "fence ceiling";
inline constexpr std::uint64_t format_now = 1;

inline std::string encode(std::uint64_t value) {
  std::string out;
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(value >> shift));
  return out;
}

inline std::optional<std::uint64_t> decode(std::string_view bytes) {
  if (bytes.size() != 8) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

}  // namespace onceproxy::store::meta
