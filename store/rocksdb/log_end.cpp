#include "store/rocksdb/log_end.hpp"

#include <algorithm>
#include <cstddef>

#include "store/rocksdb/crc32c.hpp"

namespace onceproxy::store {
namespace {

constexpr std::size_t block_bytes = 32 * 1024;
/// What a disk writes whole or not at all; some write more at once.
constexpr std::size_t sector_bytes = 512;
constexpr std::size_t header_bytes = 7;
/// The sequence number and the count of a WriteBatch.
constexpr std::size_t batch_header_bytes = 12;

/// More than one change of the set of files takes in a MANIFEST: some hundred bytes for each file,
/// and few files change at once.
constexpr std::size_t manifest_change_bytes_max = 64 * 1024;

enum Type : std::uint8_t { full = 1, first = 2, middle = 3, last = 4 };

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    number = number << 8 | static_cast<std::uint8_t>(bytes[i]);
  }
  return number;
}

bool all_zero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

struct Header {
  std::uint32_t checksum;
  std::size_t size;
  std::uint8_t type;

  bool begins_record() const { return type == full || type == first; }
  bool ends_record() const { return type == full || type == last; }
};

/// Nothing if no header can be, or none that fits its block.
std::optional<Header> header_at(std::string_view log, std::size_t at) {
  if (at + header_bytes > log.size()) return std::nullopt;
  const Header header{static_cast<std::uint32_t>(little_endian(log.substr(at, 4))),
                      little_endian(log.substr(at + 4, 2)), static_cast<std::uint8_t>(log[at + 6])};
  const bool known = header.type >= full && header.type <= last;
  const bool fits = at % block_bytes + header_bytes + header.size <= block_bytes;
  return known && fits ? std::optional(header) : std::nullopt;
}

/// The fragment at `at`, header included; empty if no intact one is.
std::string_view fragment_at(std::string_view log, std::size_t at) {
  const auto header = header_at(log, at);
  if (!header || at + header_bytes + header->size > log.size()) return {};
  // Stored rotated and shifted, so that a checksum of bytes that hold one is not a special case.
  const std::uint32_t sum = crc32c(log.substr(at + 6, 1 + header->size));
  if (header->checksum != (sum >> 15 | sum << 17) + 0xA282EAD8) return {};
  return log.substr(at, header_bytes + header->size);
}

/// Of the record that a fragment begins.
std::optional<std::uint64_t> sequence_of(std::string_view fragment) {
  if (fragment.size() < header_bytes + batch_header_bytes) return std::nullopt;
  return little_endian(fragment.substr(header_bytes, 8));
}

/// Whether a sector of [from, to) holds nothing, so far as it is the range's.
bool has_empty_sector(std::string_view log, std::size_t from, std::size_t to) {
  while (from < to) {
    const std::size_t next = std::min(to, (from / sector_bytes + 1) * sector_bytes);
    if (all_zero(log.substr(from, next - from))) return true;
    from = next;
  }
  return false;
}

/// Whether what lies at `at`, which is not a fragment, may be the trace of an interrupted write: a
/// sector of it is missing, or the file's end is.
bool is_interrupted(std::string_view log, std::size_t at) {
  const std::size_t header_end = at + header_bytes;
  if (header_end > log.size() || has_empty_sector(log, at, header_end)) return true;
  const auto header = header_at(log, at);
  if (!header) return false;
  const std::size_t end = header_end + header->size;
  return end > log.size() || has_empty_sector(log, header_end, end);
}

/// Whether a record of a later write begins at `at` or behind it. Checked at every byte, because it
/// is unknown where fragments begin there. What a client sent may look like a record, but hardly
/// with a sequence number that is about to be used.
bool record_follows(std::string_view log, std::size_t at, std::uint64_t sequence) {
  for (; at + header_bytes <= log.size(); ++at) {
    const auto type = static_cast<std::uint8_t>(log[at + 6]);
    if (type != full && type != first) continue;
    const auto later = sequence_of(fragment_at(log, at));
    if (later && *later > sequence && (sequence == 0 || *later - sequence < log.size()))
      return true;
  }
  return false;
}

/// Behind the rest of a block that is too small for a header.
std::size_t past_filler(std::size_t at) {
  const std::size_t left = block_bytes - at % block_bytes;
  return left < header_bytes ? at + left : at;
}

}  // namespace

namespace {

/// Reads fragments up to the first place where none is intact. `interrupted` says of that place
/// whether it may be the trace of an interrupted write; `seen` is called with the beginning of each
/// record.
template <typename Seen, typename Interrupted>
LogEnd find_end(std::string_view log, Seen seen, Interrupted interrupted) {
  LogEnd end;
  std::size_t at = 0;
  bool within_record = false;
  while (at < log.size()) {
    const std::string_view fragment = fragment_at(log, at);
    if (fragment.empty()) {
      if (!interrupted(at)) end.damage = at;
      break;
    }
    const Header header = *header_at(log, at);
    if (header.begins_record() == within_record) {
      end.damage = at;
      break;
    }
    if (header.begins_record()) seen(fragment);
    at += fragment.size();
    within_record = !header.ends_record();
    if (!within_record) end.at = at;
    at = past_filler(at);
  }
  return end;
}

}  // namespace

LogEnd end_of_log(std::string_view log, std::optional<std::uint64_t> synced) {
  std::uint64_t sequence = 0;
  const auto seen = [&](std::string_view fragment) {
    sequence = sequence_of(fragment).value_or(sequence);
  };
  return find_end(log, seen, [&](std::size_t at) {
    const bool was_on_disk = synced ? at < *synced : record_follows(log, at + 1, sequence);
    return !was_on_disk && is_interrupted(log, at);
  });
}

LogEnd end_of_manifest(std::string_view manifest) {
  return find_end(
      manifest, [](std::string_view) {},
      [&](std::size_t at) {
        return manifest.size() - at <= manifest_change_bytes_max && is_interrupted(manifest, at);
      });
}

}  // namespace onceproxy::store
