#include "store/entity.hpp"

#include <algorithm>

#include "store/codec.hpp"

namespace onceproxy::store {

// An entity, under its 32-byte key, all numbers little-endian, all times milliseconds since 1970
// (signed 64 bits):
//
//   entity         := version expires sequence_until closed_until flags [highest] [holder] type id
//   version        := u8         1, or 2 if the highest sequence is no integer
//   expires        := i64        second, so that compaction reads nine bytes
//   sequence_until, closed_until := i64
//   flags          := u8         1 highest present | 2 holder present
//   highest        := i64        only with flag 1; in version 2 u8 (kind), i64, u64
//   holder         := 32 bytes (fingerprint), 16 bytes (nonce); only with flag 2
//   type, id       := u8 length, bytes
//
// A new field means a new version; a version this code does not know is refused, never guessed at.
namespace {
constexpr std::uint8_t version_plain = 1;
constexpr std::uint8_t version_ordered = 2;
enum Flag : std::uint8_t { highest_present = 1, holder_present = 2, flags_all = 3 };

bool known(std::uint8_t version) {
  return version == version_plain || version == version_ordered;
}

std::optional<Sequence> read_sequence(Reader& in, std::uint8_t version) {
  if (version == version_plain) return in.number<std::int64_t>();
  const auto kind = in.number<std::uint8_t>();
  const auto high = in.number<std::int64_t>();
  const auto low = in.number<std::uint64_t>();
  if (kind != static_cast<std::uint8_t>(Sequence::Kind::time) &&
      kind != static_cast<std::uint8_t>(Sequence::Kind::hex)) {
    return std::nullopt;
  }
  return Sequence(static_cast<Sequence::Kind>(kind), high, low);
}
}  // namespace

EntityVerdict judge(const Entity& entity, const EntityTerms& terms, WallTime now) {
  if (terms.unless_closed && entity.closed_until > now) return Closed{entity.closed_until - now};
  if (terms.sequence && entity.highest && entity.sequence_until > now &&
      is_stale(*terms.sequence, *entity.highest, terms.equal_passes)) {
    return Stale{};
  }
  return {};
}

void complete(Entity& entity, const EntityOperation& operation, std::chrono::milliseconds window,
              WallTime now) {
  if (entity.sequence_until <= now) entity.highest.reset();
  if (operation.sequence) entity.highest = higher(entity.highest, *operation.sequence);
  entity.sequence_until = std::max(entity.sequence_until, now + window);
  if (operation.closes) {
    entity.closed_until = std::max(entity.closed_until, now + *operation.closes);
  }
  entity.expires = std::max({entity.expires, entity.sequence_until, entity.closed_until});
}

std::string encode(const Entity& entity) {
  constexpr std::size_t fixed = 93;
  Writer out(fixed + entity.type.size() + entity.id.size());
  std::uint8_t flags = 0;
  if (entity.highest) flags |= highest_present;
  if (entity.holder) flags |= holder_present;
  const bool ordered = entity.highest && entity.highest->kind != Sequence::Kind::integer;
  out.number(ordered ? version_ordered : version_plain);
  out.time(entity.expires);
  out.time(entity.sequence_until);
  out.time(entity.closed_until);
  out.number(flags);
  if (ordered) out.number(static_cast<std::uint8_t>(entity.highest->kind));
  if (entity.highest) out.number(entity.highest->high);
  if (ordered) out.number(entity.highest->low);
  if (entity.holder) {
    out.raw(entity.holder->fingerprint.view());
    out.raw(view(entity.holder->nonce));
  }
  out.short_text(entity.type, entity_type_bytes_max);
  out.short_text(entity.id, entity_id_bytes_max);
  return out.take();
}

std::optional<Entity> decode_entity(std::string_view bytes) {
  Reader in(bytes);
  Entity entity;
  const auto version = in.number<std::uint8_t>();
  if (!known(version)) return std::nullopt;
  entity.expires = in.time();
  entity.sequence_until = in.time();
  entity.closed_until = in.time();
  const auto flags = in.number<std::uint8_t>();
  if ((flags & ~flags_all) != 0) return std::nullopt;
  if (version == version_ordered && (flags & highest_present) == 0) return std::nullopt;
  if ((flags & highest_present) != 0) {
    entity.highest = read_sequence(in, version);
    if (!entity.highest) return std::nullopt;
  }
  if ((flags & holder_present) != 0) {
    Entity::Holder holder;
    in.into(holder.fingerprint.bytes);
    in.into(holder.nonce);
    entity.holder = holder;
  }
  entity.type = in.short_text();
  entity.id = in.short_text();
  if (!in.good_to_the_end()) return std::nullopt;
  return entity;
}

std::optional<WallTime> decode_entity_expiry(std::string_view bytes) {
  Reader in(bytes);
  if (!known(in.number<std::uint8_t>())) return std::nullopt;
  const WallTime expires = in.time();
  if (!in.good()) return std::nullopt;
  return expires;
}

}  // namespace onceproxy::store
