// ReviewMetrics: the counters of the admission webhook, and the exposition of its process, which
// serves no client requests. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/telemetry/tls_metrics.hpp"

namespace onceproxy::telemetry {

enum class ReviewResult { injected, unchanged, denied, malformed };

class ReviewMetrics {
 public:
  explicit ReviewMetrics(std::string version) : version_(std::move(version)) {}

  void reviewed(ReviewResult result) {
    counts_[static_cast<std::size_t>(result)].fetch_add(1, std::memory_order_relaxed);
  }
  TlsMetrics& tls() { return tls_; }

  /// The Prometheus text format.
  std::string exposition() const;

 private:
  const std::string version_;
  TlsMetrics tls_;
  std::array<std::atomic<std::uint64_t>, 4> counts_{};
};

}  // namespace onceproxy::telemetry
