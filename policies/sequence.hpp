// Reads where a request stands in its entity's order (store/sequence.hpp). Pure; thread-safe as
// long as each thread has its own Document.
#pragma once

#include <optional>
#include <string_view>
#include <tl/expected.hpp>

#include "policies/fields.hpp"
#include "policies/policy.hpp"
#include "store/sequence.hpp"

namespace onceproxy::policies {

/// What a field of that kind must be, as messages put it.
std::string_view described(store::Sequence::Kind kind);

/// Nothing where the field's text is none of that kind. integer: 64 bits, a JSON number that is one
/// by value (1.0, 1e2), or text of digits with or without a minus. time: text as parse_timestamp
/// reads it. hex: text of 1 to 32 hexadecimal digits.
std::optional<store::Sequence> parse_sequence(store::Sequence::Kind kind, ValueType type,
                                              std::string_view text);

/// Fails where the field is missing or unreadable, and where it is no sequence of the rule's kind.
tl::expected<store::Sequence, SelectError> read_sequence(const SequenceRule& rule,
                                                         const Subject& subject);

}  // namespace onceproxy::policies
