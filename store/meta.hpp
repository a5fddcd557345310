// The few values the store keeps about itself, in the family `meta`:
//
//   "format"        := u64, little-endian: 1. A directory with another one is refused.
//   "fence ceiling" := u64, little-endian: no fence above it was ever answered.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "store/database.hpp"

namespace onceproxy::store::meta {

inline constexpr std::string_view format = "format";
inline constexpr std::string_view fence_ceiling = "fence ceiling";
inline constexpr std::uint64_t format_now = 1;

std::string encode(std::uint64_t value);
std::optional<std::uint64_t> decode(std::string_view bytes);

/// At startup, on an open database: refuses a foreign format, marks a new directory with ours, and
/// says above which number fences start. Throws std::runtime_error naming `path`.
std::uint64_t prepare(Database& database, const std::filesystem::path& path);

}  // namespace onceproxy::store::meta
