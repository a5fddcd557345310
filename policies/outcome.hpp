// The meaning of an upstream's answer for the operation: by the rules on its status, header and
// body, or else by its status alone. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "policies/policy.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::policies {

/// An answer for the rules; views.
struct AnswerView {
  int status = 0;
  std::span<const Field> headers;
  std::string_view body;
  /// If false, `body` is only the beginning, and no rule can read it.
  bool whole = true;
};

/// By the status alone: a single status takes precedence over a class; a status that is not listed
/// completes.
Verdict classify(const OutcomeRules& rules, int status);

struct Classified {
  Verdict verdict = Verdict::complete;
  /// The index of the rule that applies, from 0; absent: the status decides.
  std::optional<std::size_t> rule;
  /// The reason why an earlier rule could not be evaluated: a sentence without contents of the
  /// body. Empty if all could.
  std::string unreadable;
};

/// By the first rule that applies, or else by the status. A rule that reads an unreadable body does
/// not apply. Since it might have applied, `release` then becomes `ambiguous`: a key that is
/// released by mistake lets an operation run twice. `decoded_bytes_max`: the limit for a decoded
/// body.
Classified classify(const OutcomeRules& rules, const AnswerView& answer,
                    std::size_t decoded_bytes_max);

}  // namespace onceproxy::policies
