#include "store/rocksdb/meta.hpp"

#include <rocksdb/write_batch.h>

#include <stdexcept>

namespace onceproxy::store::meta {

std::string encode(std::uint64_t value) {
  std::string out;
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(value >> shift));
  return out;
}

std::optional<std::uint64_t> decode(std::string_view bytes) {
  if (bytes.size() != 8) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& what,
                         const std::string& way_out) {
  throw std::runtime_error("store " + path.string() + ": " + what + "; " + way_out);
}

void write(Database& database, const std::filesystem::path& path, std::string_view key,
           const std::string& value) {
  rocksdb::WriteBatch batch;
  database.add(batch, Family::meta, key, value);
  const rocksdb::Status status = database.write(batch, true);
  if (!status.ok()) refuse(path, "not writable (" + status.ToString() + ")", "see the reason");
}

/// 0 where there is none.
std::uint64_t read(const Database& database, const std::filesystem::path& path,
                   std::string_view key) {
  Database::Found found;
  database.get(Family::meta, key, found);
  if (!found.failed() && !found.present()) return 0;
  const auto value = found.present() ? decode(found.value()) : std::nullopt;
  if (!value) {
    refuse(path,
           "cannot read \"" + std::string(key) + "\" (" +
               (found.failed() ? found.error() : "not a number") + ")",
           "restore the directory from a copy");
  }
  return *value;
}

}  // namespace

std::uint64_t prepare(Database& database, const std::filesystem::path& path) {
  const std::uint64_t found = read(database, path, format);
  if (found == 0) {
    write(database, path, format, encode(format_now));
  } else if (found != format_now) {
    refuse(path,
           "written in format " + std::to_string(found) + ", this program knows format " +
               std::to_string(format_now),
           "use the program that wrote it or choose another path");
  }
  const std::uint64_t ceiling = read(database, path, fence_ceiling);
  // With a part of the log, ceilings may have gone; far fewer numbers than this fit into one.
  constexpr std::uint64_t lost_at_most = std::uint64_t{1} << 32;
  return database.lost_wal() ? ceiling + lost_at_most : ceiling;
}

std::optional<ClockMemory> kept_clock(const Database& database, const std::filesystem::path& path) {
  Database::Found found;
  database.get(Family::meta, clock, found);
  if (!found.failed() && !found.present()) return std::nullopt;
  auto memory = found.present() ? decode_clock(found.value()) : std::nullopt;
  if (!memory) {
    refuse(path,
           "cannot read \"" + std::string(clock) + "\" (" +
               (found.failed() ? found.error() : "written by another version, or damaged") + ")",
           "use the program that wrote it or restore the directory from a copy");
  }
  return memory;
}

void keep_clock(Database& database, const std::filesystem::path& path, const ClockMemory& memory) {
  write(database, path, clock, store::encode(memory));
}

}  // namespace onceproxy::store::meta
