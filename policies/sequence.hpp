// Reads the position of a request in its entity's order (store/sequence.hpp). Pure; thread-safe as
// long as each thread has its own Document.
#pragma once

#include <optional>
#include <string_view>
#include <tl/expected.hpp>

#include "policies/fields.hpp"
#include "policies/policy.hpp"
#include "store/sequence.hpp"

namespace onceproxy::policies {

/// The required type of the field, for messages.
std::string_view described(store::Sequence::Kind kind);

/// Nothing if the field's text does not have that kind. integer: 64 bits, a JSON number with an
/// integral value (1.0, 1e2), or text of digits with or without a minus. time: text for
/// parse_timestamp. hex: text of 1 to 32 hexadecimal digits.
std::optional<store::Sequence> parse_sequence(store::Sequence::Kind kind, ValueType type,
                                              std::string_view text);

/// Fails if the field is missing or unreadable, or if it is not a sequence of the rule's kind.
tl::expected<store::Sequence, SelectError> read_sequence(const SequenceRule& rule,
                                                         const Subject& subject);

}  // namespace onceproxy::policies
