// NearMisses: counts the policies that nearly cover a request which none covers, for a policy that
// covers nothing because of a slip. Looking costs time for each policy, so one request in five
// milliseconds is looked at.
// Not thread-safe: its worker's loop.
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

  /// No policy of `rules` covers the request, which began at `now`.
  void look(const gate::Rules& rules, const policies::RequestView& request, Time now);

 private:
  telemetry::WorkerMetrics& metrics_;
  Time next_{};
};

}  // namespace onceproxy::http
