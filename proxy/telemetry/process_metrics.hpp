// The process_* metrics that every Prometheus client has, read from /proc. Private to this folder.
// Thread-safe. Values that /proc does not provide are left out.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace onceproxy::telemetry {

void append_process_metrics(std::vector<prometheus::MetricFamily>& families);

}  // namespace onceproxy::telemetry
