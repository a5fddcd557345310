#include "proxy/telemetry/review_metrics.hpp"

#include <prometheus/text_serializer.h>

#include <vector>

#include "proxy/telemetry/family.hpp"
#include "proxy/telemetry/process_metrics.hpp"

namespace onceproxy::telemetry {

using prometheus::MetricType;

std::string ReviewMetrics::exposition() const {
  static constexpr std::array<std::string_view, 4> results{"injected", "unchanged", "denied",
                                                           "malformed"};
  std::vector<prometheus::MetricFamily> families;
  Family reviews("onceproxy_inject_reviews_total",
                 "Pod admission reviews that were answered, by result.", MetricType::Counter);
  for (std::size_t i = 0; i < results.size(); ++i) {
    reviews.add({{"result", results[i]}}, counts_[i].load(std::memory_order_relaxed));
  }
  reviews.move_to(families);
  Family build("onceproxy_inject_build_info", "Always 1; the label is the version.",
               MetricType::Gauge);
  build.add({{"version", version_}}, std::uint64_t{1});
  build.move_to(families);
  tls_.append(families);
  append_process_metrics(families);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace onceproxy::telemetry
