#include "proxy/delivery/attempt_result.hpp"

namespace onceproxy::delivery {

AttemptResult judge_upstream(policies::Verdict verdict, bool holds) {
  switch (verdict) {
    case policies::Verdict::complete:
      return AttemptResult::notified;
    case policies::Verdict::release:
      return AttemptResult::retry;
    case policies::Verdict::ambiguous:
      return judge_unanswered(true, holds);
  }
  return AttemptResult::retry;
}

}  // namespace onceproxy::delivery
