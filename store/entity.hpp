// What the store knows of an entity: its highest completed sequence, whether it is closed, and
// which reservation has its turn; the rules that follow from it; and its bytes on disk, whose
// grammar stands above the codec in entity.cpp. Pure: no I/O, no clock. Thread-safe as any value
// is.
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
  /// The reservation that has the turn. It says so no longer than its record does: once that is
  /// settled, gone, or another's, nobody has the turn.
  struct Holder {
    Fingerprint fingerprint;
    Nonce nonce{};
  };

  /// From then on nothing of it matters.
  WallTime expires{};
  /// From then on the sequence counts as not known.
  WallTime sequence_until{};
  WallTime closed_until{};
  std::optional<Sequence> highest;
  std::optional<Holder> holder;
  std::string type;
  std::string id;
};

/// What one operation has to do with its entity. `turn`: it has the turn. Then as EntityTerms says.
struct EntityOperation {
  EntityKey key;
  bool turn = false;
  std::optional<Sequence> sequence;
  std::optional<std::chrono::milliseconds> closes;
};

/// Of an entity, what complete() changes: for a completion that has to be taken back.
struct EntityBefore {
  WallTime expires{};
  WallTime sequence_until{};
  WallTime closed_until{};
  std::optional<Sequence> highest;
};

/// Whether the entity lets an operation through at `now`.
using EntityVerdict = std::variant<std::monostate, Stale, Closed>;
EntityVerdict judge(const Entity& entity, const EntityTerms& terms, WallTime now);

/// The operation completed at `now`, and is remembered for `window`.
void complete(Entity& entity, const EntityOperation& operation, std::chrono::milliseconds window,
              WallTime now);

std::string encode(const Entity& entity);
/// Nothing where the bytes are not an entity.
std::optional<Entity> decode_entity(std::string_view bytes);
std::optional<WallTime> decode_entity_expiry(std::string_view bytes);

}  // namespace onceproxy::store
