// The process_* metrics every Prometheus client shows, read from /proc. Private to this folder.
// Thread-safe. What /proc does not tell is left out.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace onceproxy::telemetry {

void append_process_metrics(std::vector<prometheus::MetricFamily>& families);

}  // namespace onceproxy::telemetry
