// What the shared store tells of its database, as metric families. Private to this folder.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "store/postgres/stats.hpp"

namespace onceproxy::telemetry {

void append_postgres(std::vector<prometheus::MetricFamily>& families,
                     const store::PostgresStats& now);

}  // namespace onceproxy::telemetry
