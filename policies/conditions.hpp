// Conditions on a request or an answer: `where` on selected fields, `headers` on header fields.
// Pure; thread-safe as long as each thread has its own Document.
#pragma once

#include <span>

#include "policies/fields.hpp"
#include "policies/policy.hpp"

namespace onceproxy::policies {

/// Whether a condition holds. unreadable: this depends on a body that cannot be read.
enum class Truth { no, yes, unreadable };

/// Whether the field's text equals one of `any_of`, or all of it matches `regex`, or the field
/// exists as `present` requires. For a missing field only `present: false` holds, and for a
/// malformed client key only `present: true`.
Truth holds(const Condition& condition, const Subject& subject);

/// Whether all conditions hold; yes if there are none. One condition that does not hold decides,
/// regardless of the others.
Truth all_hold(std::span<const Condition> conditions, const Subject& subject);

/// Whether the header field (repeated fields are joined with ", ") meets the condition, or exists
/// or not. For a media type, each field and each element of it is tested.
bool holds(const HeaderCondition& condition, const RequestView& request);

}  // namespace onceproxy::policies
