// Entity: the entity of a request, and the position of the request in the entity's order. An entity
// is identified by the text of its id, regardless of where and with which type the id was found,
// because policies share entities: one reads a ride's id from the path, another from a JSON number,
// a third from a JSON string. The store keeps the state of entities. Pure; thread-safe as long as
// each thread has its own Document.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "policies/fields.hpp"
#include "policies/policy.hpp"
#include "store/fingerprint.hpp"
#include "store/sequence.hpp"

namespace onceproxy::policies {

/// The entity of a request.
struct OperationEntity {
  store::EntityKey key;
  /// The id as text, with its parts joined by a slash; for operators. At most 255 bytes.
  std::string id;
  std::optional<store::Sequence> sequence;
};

/// The entity of that type with these parts of the id. README.md describes the format.
store::EntityKey entity_key(std::string_view type, std::span<const std::string> id);

/// The parts as in OperationEntity::id; cut off at the end of a character.
std::string entity_id_text(std::span<const std::string> id);

/// Fails if a part of the id or the sequence is missing, or if the sequence has another kind
/// (sequence.hpp).
tl::expected<OperationEntity, SelectError> read_entity(const EntityRule& rule,
                                                       const Subject& subject);

}  // namespace onceproxy::policies
