// The deliveries to listeners, as metric families. Private to this folder.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "proxy/telemetry/delivery_gauges.hpp"

namespace onceproxy::telemetry {

void append_deliveries(std::vector<prometheus::MetricFamily>& families, const DeliveryGauges& now);

}  // namespace onceproxy::telemetry
