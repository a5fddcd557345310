#include "proxy/delivery/verdict.hpp"

namespace onceproxy::delivery {

Verdict judge_upstream(policies::Verdict verdict, bool holds) {
  switch (verdict) {
    case policies::Verdict::complete:
      return Verdict::notified;
    case policies::Verdict::release:
      return Verdict::retry;
    case policies::Verdict::ambiguous:
      return judge_unanswered(true, holds);
  }
  return Verdict::retry;
}

}  // namespace onceproxy::delivery
