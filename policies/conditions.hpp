// Conditions on a request or an answer: `where` on selected fields, `headers` on header fields.
// Pure; thread-safe as long as each thread has its own Document.
#pragma once

#include <span>

#include "policies/fields.hpp"
#include "policies/policy.hpp"

namespace onceproxy::policies {

/// Whether something holds; unreadable: that depends on a body that cannot be read.
enum class Truth { no, yes, unreadable };

/// Whether the field's text equals one of `any_of`, or all of it matches `regex`, or the field is
/// there as `present` says. A field that is missing meets no condition but `present: false`, and a
/// malformed client key none but `present: true`.
Truth holds(const Condition& condition, const Subject& subject);

/// Whether every one holds; yes for none. One that does not settles it, whatever the others are.
Truth all_hold(std::span<const Condition> conditions, const Subject& subject);

/// Whether the header field, repeated ones joined with ", ", is as the condition wants it, or is
/// there or not; of a media type, each field and each element of it by itself.
bool holds(const HeaderCondition& condition, const RequestView& request);

}  // namespace onceproxy::policies
