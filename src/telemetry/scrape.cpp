#include "scrape.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "escape.hpp"
#include "series_limits.hpp"

namespace weir::telemetry {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Values = std::map<std::string, double>;  // by label value

/// The value under that name, or under `other` once there are `most`.
double& value_of(Values& values, const std::string& name, std::size_t most, double initial) {
    const std::string label = label_value(name);
    const bool has_room = values.contains(label) || values.size() < most;
    return values.try_emplace(has_room ? label : "other", initial).first->second;
}

void add_gauges(std::vector<MetricFamily>& families, std::string name, std::string help, std::string label,
                const Values& values) {
    if (values.empty()) return;
    MetricFamily family{std::move(name), std::move(help), MetricType::Gauge, {}};
    for (const auto& [label_text, value] : values) {
        ClientMetric& metric = family.metric.emplace_back();
        metric.label.push_back({label, label_text});
        metric.gauge.value = value;
    }
    families.push_back(std::move(family));
}

void add_single(std::vector<MetricFamily>& families, std::string name, std::string help, MetricType type,
                double value) {
    MetricFamily family{std::move(name), std::move(help), type, {}};
    ClientMetric& metric = family.metric.emplace_back();
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    families.push_back(std::move(family));
}

}  // namespace

void add_snapshot(std::vector<MetricFamily>& families, const Metrics::Snapshot& snapshot) {
    Values tracked_keys;
    Values remaining;
    for (const auto& limit : snapshot.limits) {
        value_of(tracked_keys, limit.name, most_limits, 0) += static_cast<double>(limit.tracked_keys);
        if (!limit.remaining) continue;
        const auto left = static_cast<double>(*limit.remaining);
        double& least = value_of(remaining, limit.name, most_limits, left);
        least = std::min(least, left);
    }
    Values origins;
    for (const auto& origin : snapshot.top_origins) {
        // No `other` here: a count of the rest would look like an origin among the top ones.
        if (origins.size() == most_origins && !origins.contains(label_value(origin.origin))) continue;
        value_of(origins, origin.origin, most_origins, 0) += static_cast<double>(origin.messages);
    }
    add_gauges(families, "weir_tracked_keys", "Keys (clients, domains, ...) a limit keeps an account of.", "limit",
               tracked_keys);
    add_gauges(families, "weir_budget_remaining", "Messages that would pass a limit of the whole relay now.", "limit",
               remaining);
    add_gauges(families, "weir_top_origin_messages", "Messages of the origins that sent most, 20 of them.", "origin",
               origins);
}

void add_process(std::vector<MetricFamily>& families, const ProcessFigures& figures) {
    const auto gauge = [&families](std::string name, std::string help, auto value) {
        add_single(families, std::move(name), std::move(help), MetricType::Gauge, static_cast<double>(value));
    };
    add_single(families, "process_cpu_seconds_total", "CPU time spent, user and system.", MetricType::Counter,
               figures.cpu_seconds);
    gauge("process_start_time_seconds", "When the process started, in seconds since the epoch.",
          figures.start_time_seconds);
    gauge("process_resident_memory_bytes", "Memory held in RAM.", figures.resident_bytes);
    gauge("process_virtual_memory_bytes", "Address space in use.", figures.virtual_bytes);
    gauge("process_open_fds", "Open file descriptors.", figures.open_fds);
    gauge("process_max_fds", "File descriptors that may be open.", figures.max_fds);
}

}  // namespace weir::telemetry
