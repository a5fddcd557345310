// The metric families of the PostgreSQL store. Private to this folder.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "store/postgres/stats.hpp"

namespace onceproxy::telemetry {

void append_postgres(std::vector<prometheus::MetricFamily>& families,
                     const store::PostgresStats& now);

}  // namespace onceproxy::telemetry
