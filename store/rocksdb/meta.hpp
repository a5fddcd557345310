// The few values the store keeps about itself, in the family `meta`:
//
//   "format"        := u64, little-endian: 1. A directory with another one is refused.
//   "fence ceiling" := u64, little-endian: no fence above it was ever answered.
//   "clock"         := what is known of time; its grammar stands in store_clock.cpp. A directory of
//                      an earlier version has none.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "store/clock.hpp"
#include "store/rocksdb/database.hpp"

namespace onceproxy::store::meta {

inline constexpr std::string_view format = "format";
inline constexpr std::string_view fence_ceiling = "fence ceiling";
inline constexpr std::string_view clock = "clock";
inline constexpr std::uint64_t format_now = 1;

std::string encode(std::uint64_t value);
std::optional<std::uint64_t> decode(std::string_view bytes);

/// At startup, on an open database: refuses a foreign format, marks a new directory with ours, and
/// says above which number fences start. Throws std::runtime_error naming `path`.
std::uint64_t prepare(Database& database, const std::filesystem::path& path);

/// At startup: what was kept of time; nothing where it never was. Throws as prepare() does.
std::optional<ClockMemory> kept_clock(const Database& database, const std::filesystem::path& path);
void keep_clock(Database& database, const std::filesystem::path& path, const ClockMemory& memory);

}  // namespace onceproxy::store::meta
