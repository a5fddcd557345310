#include "policies/outcome.hpp"

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

}  // namespace onceproxy::policies
