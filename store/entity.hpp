// The state of an entity: its highest completed sequence, whether it is closed, and which
// reservation has its turn; the rules for it; and its bytes on disk, whose format is described in
// entity.cpp. Pure: no I/O, no clock. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "store/request.hpp"
#include "store/result.hpp"
#include "store/subject.hpp"
#include "store/wall_time.hpp"

namespace onceproxy::store {

struct Entity {
  /// The reservation that has the turn. This is valid only as long as its record: when the record
  /// was settled, deleted, or belongs to another reservation, the turn is free.
  struct Holder {
    Fingerprint fingerprint;
    Nonce nonce{};
  };

  /// When the state of the entity expires.
  WallTime expires{};
  /// When the sequence expires.
  WallTime sequence_until{};
  WallTime closed_until{};
  std::optional<Sequence> highest;
  std::optional<Holder> holder;
  std::string type;
  std::string id;
};

/// What one operation requires of its entity. `turn`: it has the turn. The rest is as in
/// EntityTerms.
struct EntityOperation {
  EntityKey key;
  bool turn = false;
  std::optional<Sequence> sequence;
  std::optional<std::chrono::milliseconds> closes;
};

/// The part of an entity's state that complete() changes, for a completion that must be undone.
struct EntityBefore {
  WallTime expires{};
  WallTime sequence_until{};
  WallTime closed_until{};
  std::optional<Sequence> highest;
};

/// Whether the entity admits an operation at `now`.
using EntityVerdict = std::variant<std::monostate, Stale, Closed>;
EntityVerdict judge(const Entity& entity, const EntityTerms& terms, WallTime now);

/// The operation completed at `now`, and is remembered for `window`.
void complete(Entity& entity, const EntityOperation& operation, std::chrono::milliseconds window,
              WallTime now);

std::string encode(const Entity& entity);
/// Nothing if the bytes are not a valid entity.
std::optional<Entity> decode_entity(std::string_view bytes);
std::optional<WallTime> decode_entity_expiry(std::string_view bytes);

}  // namespace onceproxy::store
