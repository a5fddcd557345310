// Arrival: a request of the log as the simulation sees it: which operation it stands for, and what
// became of it if it was let through. Plain values.
#pragma once

#include <chrono>

#include "policies/outcome.hpp"
#include "policies/select.hpp"
#include "proxy/cli/backtest/moment.hpp"

namespace onceproxy::backtest {

struct Arrival {
  policies::Operation operation;
  /// What the answer says of the operation; `ambiguous` if none came.
  policies::Verdict ending = policies::Verdict::complete;
  std::chrono::microseconds duration{0};
  /// False: its answer is larger than the policy keeps.
  bool replayable = true;
};

}  // namespace onceproxy::backtest
