// The metric families of the store's counters and gauges. Private to this folder.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "proxy/telemetry/exposition.hpp"

namespace onceproxy::telemetry {

void append_store(std::vector<prometheus::MetricFamily>& families, const Snapshot& snapshot);

}  // namespace onceproxy::telemetry
