// Family: builds one metric family: a name, and the values of its series. Private to this folder.
//
// It does not count or merge. Not thread-safe.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/telemetry/histogram.hpp"

namespace onceproxy::telemetry {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

class Family {
 public:
  Family(std::string name, std::string help, prometheus::MetricType type)
      : family_{std::move(name), std::move(help), type, {}} {}

  void add(Labels labels, double value) {
    prometheus::ClientMetric& metric = add(labels);
    metric.counter.value = value;
    metric.gauge.value = value;
  }
  void add(Labels labels, std::uint64_t value) { add(labels, static_cast<double>(value)); }

  /// Shown only if there is an observation, or `from_the_start`.
  template <typename Kind>
  void add(Labels labels, const HistogramTotals<Kind>& totals, bool from_the_start = false) {
    if (totals.count == 0 && !from_the_start) return;
    prometheus::ClientMetric::Histogram& histogram = add(labels).histogram;
    histogram.sample_count = totals.count;
    histogram.sample_sum = static_cast<double>(totals.sum) / Kind::ticks_per_unit;
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < totals.buckets.size(); ++i) {
      cumulative += totals.buckets[i];
      const double bound = i < Kind::bounds.size()
                               ? static_cast<double>(Kind::bounds[i]) / Kind::ticks_per_unit
                               : std::numeric_limits<double>::infinity();
      histogram.bucket.push_back({cumulative, bound});
    }
  }

  void move_to(std::vector<prometheus::MetricFamily>& families) {
    if (!family_.metric.empty()) families.push_back(std::move(family_));
  }

 private:
  prometheus::ClientMetric& add(Labels labels) {
    prometheus::ClientMetric& metric = family_.metric.emplace_back();
    for (const auto& [label, value] : labels)
      metric.label.push_back({std::string(label), std::string(value)});
    return metric;
  }

  prometheus::MetricFamily family_;
};

}  // namespace onceproxy::telemetry
