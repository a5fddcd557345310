// Entity: which thing a request acts on, and where the request stands in its order. An entity is
// named by the text of its id, not by where or as what the id was found, because policies share
// entities: one takes a ride's id from the path, another from a JSON number, a third from a JSON
// string. What becomes of an entity is the store's business.
// Pure; thread-safe as long as each thread has its own Document.
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

/// The entity that a request acts on.
struct OperationEntity {
  store::EntityKey key;
  /// The id as text, its parts joined by a slash; for operators. At most 255 bytes.
  std::string id;
  std::optional<store::Sequence> sequence;
};

/// The entity of that type whose id has these parts. The grammar stands in README.md.
store::EntityKey entity_key(std::string_view type, std::span<const std::string> id);

/// The parts as OperationEntity::id shows them; cut where no character is cut in two.
std::string entity_id_text(std::span<const std::string> id);

/// Fails where a part of the id or the sequence is missing, and where the sequence is none of its
/// kind (sequence.hpp).
tl::expected<OperationEntity, SelectError> read_entity(const EntityRule& rule,
                                                       const Subject& subject);

}  // namespace onceproxy::policies
