// The few values the store keeps about itself, in the family `meta`:
//
//   "format"        := u64, little-endian: 1. A directory with another one is refused.
//   "fence ceiling" := u64, little-endian: no fence above it was ever answered.
//   "digests"       := u64 version, u64 fence, i64 milliseconds since 1970, little-endian: since
//   when
//                      digests are of that version, and the highest fence that may be from before;
//                      fence 0: nothing is. A directory with version 1 has none.
//   "digests fence ceiling" := u64, little-endian: the fence ceiling, written together with it. An
//                      earlier version writes only that one, so a difference says that one wrote to
//                      the directory in between.
//   "clock"         := what is known of time; its grammar stands in store_clock.cpp. A directory of
//                      an earlier version has none.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "store/clock.hpp"
#include "store/fingerprint.hpp"
#include "store/rocksdb/database.hpp"
#include "store/wall_time.hpp"

namespace onceproxy::store::meta {

inline constexpr std::string_view format = "format";
inline constexpr std::string_view fence_ceiling = "fence ceiling";
inline constexpr std::string_view digests = "digests";
inline constexpr std::string_view digests_fence_ceiling = "digests fence ceiling";
inline constexpr std::string_view clock = "clock";
inline constexpr std::uint64_t format_now = 1;

std::string encode(std::uint64_t value);
std::optional<std::uint64_t> decode(std::string_view bytes);

/// At startup, on an open database: refuses a foreign format, marks a new directory with ours, and
/// says above which number fences start. Throws std::runtime_error naming `path`.
std::uint64_t prepare(Database& database, const std::filesystem::path& path);

/// Since when digests are of this version, and what may be from before.
struct DigestsMemory {
  std::uint64_t version = digests_version;
  /// Records with this fence or a lower one may be from before; 0: none is.
  std::uint64_t earlier_fence = 0;
  WallTime since{};
};
std::string encode(const DigestsMemory& memory);
std::optional<DigestsMemory> decode_digests(std::string_view bytes);

/// At startup, with what prepare() said and the store's time: what is kept of the digests. If
/// another version wrote last, that is from `now` on, and is written. Throws as prepare() does.
DigestsMemory keep_digests(Database& database, const std::filesystem::path& path,
                           std::uint64_t fences_before, WallTime now);

/// Adds a new fence ceiling to a batch.
void add_fence_ceiling(const Database& database, rocksdb::WriteBatch& batch, std::uint64_t ceiling);

/// At startup: what was kept of time; nothing if it never was. Throws as prepare() does.
std::optional<ClockMemory> kept_clock(const Database& database, const std::filesystem::path& path);
void keep_clock(Database& database, const std::filesystem::path& path, const ClockMemory& memory);

}  // namespace onceproxy::store::meta
