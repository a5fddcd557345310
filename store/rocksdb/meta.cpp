#include "store/rocksdb/meta.hpp"

#include <rocksdb/write_batch.h>

#include <chrono>
#include <stdexcept>

#include "store/codec.hpp"
#include "store/rocksdb/restore.hpp"

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

void write(Database& database, const std::filesystem::path& path, rocksdb::WriteBatch& batch) {
  const rocksdb::Status status = database.write(batch, true);
  if (!status.ok()) refuse(path, "not writable (" + status.ToString() + ")", "see the reason");
}

void write(Database& database, const std::filesystem::path& path, std::string_view key,
           const std::string& value) {
  rocksdb::WriteBatch batch;
  database.add(batch, Family::meta, key, value);
  write(database, path, batch);
}

void mark_new(Database& database, const std::filesystem::path& path) {
  rocksdb::WriteBatch batch;
  database.add(batch, Family::meta, format, encode(format_now));
  database.add(batch, Family::meta, digests, encode(DigestsMemory{}));
  write(database, path, batch);
}

/// 0 if there is none.
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

/// A store was restored: fences that were given out after its backup are not known.
std::uint64_t raise_fences(Database& database, const std::filesystem::path& path,
                           std::uint64_t ceiling) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::uint64_t raised = fence_after_restore(
      ceiling, static_cast<std::uint64_t>(
                   std::chrono::duration_cast<std::chrono::milliseconds>(now).count()));
  rocksdb::WriteBatch batch;
  // Unless an earlier version wrote last, which keep_digests() has to find out.
  if (read(database, path, digests_fence_ceiling) == ceiling) {
    add_fence_ceiling(database, batch, raised);
  } else {
    database.add(batch, Family::meta, fence_ceiling, encode(raised));
  }
  write(database, path, batch);
  return raised;
}

}  // namespace

std::uint64_t prepare(Database& database, const std::filesystem::path& path) {
  const std::uint64_t found = read(database, path, format);
  if (found == 0) {
    mark_new(database, path);
  } else if (found != format_now) {
    refuse(path,
           "written in format " + std::to_string(found) + ", this program knows format " +
               std::to_string(format_now),
           "use the program that wrote it or choose another path");
  }
  std::uint64_t ceiling = read(database, path, fence_ceiling);
  const std::filesystem::path mark = path / restored_name;
  if (std::filesystem::exists(mark)) {
    ceiling = raise_fences(database, path, ceiling);
    // Behind the write: until then the next start has to do it.
    std::filesystem::remove(mark);
  }
  // With a part of the log, ceilings may have gone; far fewer numbers than this fit into one.
  constexpr std::uint64_t lost_at_most = std::uint64_t{1} << 32;
  return database.lost_wal() ? ceiling + lost_at_most : ceiling;
}

std::string encode(const DigestsMemory& memory) {
  Writer out(3 * sizeof(std::uint64_t));
  out.number(memory.version);
  out.number(memory.earlier_fence);
  out.time(memory.since);
  return out.take();
}

std::optional<DigestsMemory> decode_digests(std::string_view bytes) {
  Reader in(bytes);
  DigestsMemory memory;
  memory.version = in.number<std::uint64_t>();
  memory.earlier_fence = in.number<std::uint64_t>();
  memory.since = in.time();
  if (!in.good_to_the_end()) return std::nullopt;
  return memory;
}

DigestsMemory keep_digests(Database& database, const std::filesystem::path& path,
                           std::uint64_t fences_before, WallTime now) {
  // Bytes that are not understood were written by another version: as if there were none.
  std::optional<DigestsMemory> kept;
  {
    Database::Found found;
    database.get(Family::meta, digests, found);
    if (found.failed()) {
      refuse(path, "cannot read \"" + std::string(digests) + "\" (" + found.error() + ")",
             "restore the directory from a copy");
    }
    if (found.present()) kept = decode_digests(found.value());
  }
  const std::uint64_t ceiling = read(database, path, fence_ceiling);
  const bool last = read(database, path, digests_fence_ceiling) == ceiling;
  if (kept && kept->version == digests_version && last) return *kept;
  const DigestsMemory memory{digests_version, fences_before, now};
  rocksdb::WriteBatch batch;
  database.add(batch, Family::meta, digests, encode(memory));
  database.add(batch, Family::meta, digests_fence_ceiling, encode(ceiling));
  write(database, path, batch);
  return memory;
}

void add_fence_ceiling(const Database& database, rocksdb::WriteBatch& batch,
                       std::uint64_t ceiling) {
  database.add(batch, Family::meta, fence_ceiling, encode(ceiling));
  database.add(batch, Family::meta, digests_fence_ceiling, encode(ceiling));
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
