#include "policies/outcome.hpp"

#include "policies/conditions.hpp"
#include "policies/document.hpp"

namespace onceproxy::policies {

Verdict classify(const OutcomeRules& rules, int status) {
  // Within one rank `ambiguous` goes first: a key freed by mistake runs an operation twice, one
  // kept by mistake only makes a client wait.
  if (rules.ambiguous.has_single(status)) return Verdict::ambiguous;
  if (rules.release.has_single(status)) return Verdict::release;
  const int hundreds = status / 100;
  if (rules.ambiguous.has_class(hundreds)) return Verdict::ambiguous;
  if (rules.release.has_class(hundreds)) return Verdict::release;
  return Verdict::complete;
}

Classified classify(const OutcomeRules& rules, const AnswerView& answer,
                    std::size_t decoded_bytes_max) {
  Classified out;
  if (!rules.rules.empty()) {
    static const Match no_captures;
    RequestView view;
    view.headers = answer.headers;
    Document body(view, answer.body,
                  answer.whole ? std::optional(decoded_bytes_max) : std::nullopt);
    const Subject subject{no_captures, view, body, answer.status};
    for (std::size_t i = 0; i < rules.rules.size() && !out.rule; ++i) {
      const Truth applies = all_hold(rules.rules[i].where, subject);
      if (applies == Truth::yes) out.rule = i;
      if (applies == Truth::unreadable) out.unreadable = *body.known_unreadable();
    }
  }
  out.verdict = out.rule ? rules.rules[*out.rule].is : classify(rules, answer.status);
  if (!out.unreadable.empty() && out.verdict == Verdict::release) out.verdict = Verdict::ambiguous;
  return out;
}

}  // namespace onceproxy::policies
