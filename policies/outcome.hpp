// What an upstream's answer says about the operation: by the rules on its status, header and body,
// else by its status alone. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "policies/policy.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::policies {

/// An answer as rules see it; views.
struct AnswerView {
  int status = 0;
  std::span<const Field> headers;
  std::string_view body;
  /// False: `body` is only the beginning, and no rule can ask it.
  bool whole = true;
};

/// By the status alone: a single status named in the rules wins over a class; one that is named
/// nowhere completes.
Verdict classify(const OutcomeRules& rules, int status);

struct Classified {
  Verdict verdict = Verdict::complete;
  /// Which of the rules applies, from 0; absent: the status decides.
  std::optional<std::size_t> rule;
  /// Why an earlier rule could not be asked: a sentence that repeats nothing of the body. Empty:
  /// all could.
  std::string unreadable;
};

/// By the first rule that applies, else by the status. A rule that asks a body which cannot be read
/// does not apply; but since it might have, `release` becomes `ambiguous` then: a key that is freed
/// by mistake runs an operation twice. `decoded_bytes_max` bounds what a compressed body may decode
/// to.
Classified classify(const OutcomeRules& rules, const AnswerView& answer,
                    std::size_t decoded_bytes_max);

}  // namespace onceproxy::policies
