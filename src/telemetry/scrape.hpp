#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "process.hpp"
#include "weir/telemetry/metrics.hpp"

namespace weir::telemetry {

/// Adds the families whose values are read at scrape time; one that has no series is left out.
///
/// A name that comes twice (limits that differ only in `match`) becomes one series: two would make Prometheus
/// refuse the whole scrape. At most 256 limits and 20 origins are told apart, the rest is `other`.
void add_snapshot(std::vector<prometheus::MetricFamily>& families, const Metrics::Snapshot& snapshot);
void add_process(std::vector<prometheus::MetricFamily>& families, const ProcessFigures& figures);

}  // namespace weir::telemetry
