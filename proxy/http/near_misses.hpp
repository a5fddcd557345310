// NearMisses: counts the policies that nearly cover a request which no policy covers, so that a
// policy that covers nothing because of a small mistake is noticed. The check costs time for each
// policy, so only one request in five milliseconds is checked. Not thread-safe: used on its
// worker's loop.
#pragma once

#include <chrono>

#include "policies/request_view.hpp"
#include "proxy/gate/rules.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace onceproxy::http {

class NearMisses {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit NearMisses(telemetry::WorkerMetrics& metrics) : metrics_(metrics) {}

  /// Checks a request that no policy of `rules` covers, and which began at `now`.
  void look(const gate::Rules& rules, const policies::RequestView& request, Time now);

 private:
  telemetry::WorkerMetrics& metrics_;
  Time next_{};
};

}  // namespace onceproxy::http
