// Converts counters to metric families: a snapshot of all workers, merged, with the documented
// names and labels. Private to this folder.
//
// The number of series is limited: policies come from the configuration, decisions and words are
// fixed sets, and a histogram is shown only if it has an observation.
#pragma once

#include <prometheus/metric_family.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proxy/telemetry/histogram.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "proxy/telemetry/worker_metrics.hpp"

namespace onceproxy::telemetry {

/// All values of a scrape, before they are named.
struct Snapshot {
  std::string version;
  /// Indexed by number; the first is "".
  std::vector<std::string> policies;
  std::vector<const WorkerCounters*> workers;
  HistogramTotals<CommitTime> commit_time;
  HistogramTotals<BatchSize> batch_size;
  std::map<std::string, std::uint64_t> store_errors;
  std::optional<StoreGauges> store;
  std::optional<SlotsInUse> slots;
  std::vector<LeaseGauge> leases;
  std::optional<DeliveryGauges> deliveries;
  std::array<std::uint64_t, buffered_count> buffered_max{};
  std::uint64_t permits_dropped = 0;
  std::uint64_t access_log_dropped = 0;
  std::uint64_t captured = 0;
  std::array<std::uint64_t, capture_loss_count> capture_lost{};
  std::uint64_t spans_exported = 0;
  std::uint64_t spans_dropped = 0;
  std::uint64_t upstream_lookup_failures = 0;
  bool reload_successful = true;
  double reload_success_time = 0;
};

/// Families without a series are left out.
std::vector<prometheus::MetricFamily> metric_families(const Snapshot& snapshot);

}  // namespace onceproxy::telemetry
