#include "weir/telemetry/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>
#include <utility>

#include "process.hpp"
#include "scrape.hpp"
#include "series_limits.hpp"
#include "series_table.hpp"

namespace weir::telemetry {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Registry;

constexpr std::array outcomes{Outcome::relayed, Outcome::held, Outcome::relay_tempfail, Outcome::relay_reject,
                              Outcome::aborted};
constexpr std::array reasons{HeldReason::limit, HeldReason::quarantine, HeldReason::relay_hold,
                             HeldReason::relay_unreachable};
constexpr std::array reply_classes{ReplyClass::ok,        ReplyClass::rate,    ReplyClass::reputation, ReplyClass::auth,
                                   ReplyClass::recipient, ReplyClass::content, ReplyClass::system};

// Weir's own share should be far below a millisecond, and seconds only where a limit waits in the session.
const Histogram::BucketBoundaries added_latency_buckets{0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                        0.025,   0.05,   0.1,     0.25,   0.5,   1,      2.5,   5};
// Up to 600 s: Postfix's smtp_data_done_timeout, after which nobody waits any more.
const Histogram::BucketBoundaries duration_buckets{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                                   2.5,   5,    10,    30,   60,  120,  300, 600};

template <class Enum>
constexpr std::size_t index(Enum value) {
    return static_cast<std::size_t>(value);
}

std::string text(std::string_view word) {
    return std::string(word);
}

double to_seconds(core::Duration duration) {
    return std::max(0.0, std::chrono::duration<double>(duration).count());
}

Family<Counter>& counters(Registry& registry, const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

Family<Gauge>& gauges(Registry& registry, const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

Histogram& histogram(Registry& registry, const char* name, const char* help,
                     const Histogram::BucketBoundaries& buckets) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
}

struct LaneSeries {
    std::array<Counter*, outcomes.size()> transactions{};
    std::array<Counter*, outcomes.size()> recipients{};
};

struct RelaySeries {
    std::array<Counter*, reply_classes.size()> replies{};
    std::array<Counter*, 2> tls_handshakes{};  // by whether a session was resumed
    Gauge* busy = nullptr;
    Gauge* idle = nullptr;
};

}  // namespace

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::relayed:
            return "relayed";
        case Outcome::held:
            return "held";
        case Outcome::relay_tempfail:
            return "relay_tempfail";
        case Outcome::relay_reject:
            return "relay_reject";
        case Outcome::aborted:
            return "aborted";
    }
    return "unknown";
}

std::string_view to_string(HeldReason reason) {
    switch (reason) {
        case HeldReason::limit:
            return "limit";
        case HeldReason::quarantine:
            return "quarantine";
        case HeldReason::relay_hold:
            return "relay_hold";
        case HeldReason::relay_unreachable:
            return "relay_unreachable";
    }
    return "unknown";
}

std::string_view to_string(ReplyClass reply_class) {
    switch (reply_class) {
        case ReplyClass::ok:
            return "ok";
        case ReplyClass::rate:
            return "rate";
        case ReplyClass::reputation:
            return "reputation";
        case ReplyClass::auth:
            return "auth";
        case ReplyClass::recipient:
            return "recipient";
        case ReplyClass::content:
            return "content";
        case ReplyClass::system:
            return "system";
    }
    return "unknown";
}

struct Metrics::Impl {
    Impl() {
        lanes.at("default");
        protocol_errors.at("other");
        for (const HeldReason reason : reasons) {
            held_by_reason[index(reason)] = &held.Add({{"reason", text(to_string(reason))}, {"limit", ""}});
        }
        gauges(registry, "weir_build_info", "Always 1; the version is in the label.")
            .Add({{"version", WEIR_VERSION}})
            .Set(1);
    }

    [[nodiscard]] LaneSeries make_lane(const std::string& lane) {
        LaneSeries series;
        for (const Outcome outcome : outcomes) {
            const prometheus::Labels labels{{"lane", lane}, {"outcome", text(to_string(outcome))}};
            series.transactions[index(outcome)] = &transactions.Add(labels);
            series.recipients[index(outcome)] = &recipients.Add(labels);
        }
        return series;
    }

    [[nodiscard]] RelaySeries make_relay(const std::string& relay) {
        RelaySeries series;
        for (const ReplyClass reply_class : reply_classes) {
            series.replies[index(reply_class)] =
                &replies.Add({{"relay", relay}, {"class", text(to_string(reply_class))}});
        }
        for (const bool is_resumed : {false, true}) {
            series.tls_handshakes[is_resumed ? 1 : 0] =
                &tls_handshakes.Add({{"relay", relay}, {"resumed", is_resumed ? "true" : "false"}});
        }
        series.busy = &connections.Add({{"relay", relay}, {"state", "busy"}});
        series.idle = &connections.Add({{"relay", relay}, {"state", "idle"}});
        return series;
    }

    Registry registry;

    Family<Counter>& transactions =
        counters(registry, "weir_transactions_total", "Mail transactions by how they ended.");
    Family<Counter>& recipients = counters(registry, "weir_recipients_total", "Recipients by how they ended.");
    Family<Counter>& held = counters(registry, "weir_held_total", "Refusals (451) that Weir decided by itself.");
    Family<Counter>& replies =
        counters(registry, "weir_relay_replies_total", "Replies of the relay by what they mean.");
    Family<Counter>& tls_handshakes =
        counters(registry, "weir_relay_tls_handshakes_total", "TLS handshakes with the relay that succeeded.");
    Family<Counter>& errors =
        counters(registry, "weir_protocol_errors_total", "Violations of SMTP by a client or a relay.");
    Family<Gauge>& connections = gauges(registry, "weir_relay_connections", "Open connections to the relay.");
    Family<Gauge>& sessions = gauges(registry, "weir_sessions", "Open SMTP sessions.");

    Histogram& added_latency =
        histogram(registry, "weir_added_latency_seconds",
                  "Time a transaction took beyond what the relay and the client took.", added_latency_buckets);
    Histogram& duration = histogram(registry, "weir_transaction_duration_seconds", "Time from MAIL to the final reply.",
                                    duration_buckets);
    Counter& unknown_outcomes =
        counters(registry, "weir_outcome_unknown_total",
                 "Relay connections lost between the final dot and its reply; the message may arrive twice.")
            .Add({});
    Counter& accept_failures =
        counters(registry, "weir_accept_failures_total", "Connections that could not be accepted.").Add({});
    Gauge& reload_successful = gauges(registry, "weir_config_last_reload_successful",
                                      "Whether the last start or reload could use the configuration file.")
                                   .Add({}, 1.0);
    Gauge& reload_time = gauges(registry, "weir_config_last_reload_success_timestamp_seconds",
                                "When the configuration in use was loaded, in seconds since the epoch.")
                             .Add({});
    std::array<Gauge*, 2> sessions_by_side{&sessions.Add({{"side", "client"}}), &sessions.Add({{"side", "relay"}})};
    std::array<Counter*, reasons.size()> held_by_reason{};

    SeriesTable<LaneSeries> lanes{most_lanes, [this](const std::string& lane) { return make_lane(lane); }};
    SeriesTable<RelaySeries> relays{most_relays, [this](const std::string& relay) { return make_relay(relay); }};
    SeriesTable<Counter*> held_by_limit{most_limits, [this](const std::string& limit) {
                                            return &held.Add({{"reason", "limit"}, {"limit", limit}});
                                        }};
    SeriesTable<Counter*> protocol_errors{most_protocol_errors, [this](const std::string& kind) {
                                              return &errors.Add({{"kind", kind}});
                                          }};

    std::mutex source_mutex;
    std::function<Snapshot()> source;  // guarded by source_mutex
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {
    config_reloaded(true);
}

Metrics::~Metrics() = default;

void Metrics::declare(const Names& names) {
    for (const auto& lane : names.lanes) impl_->lanes.at(lane);
    for (const auto& limit : names.limits) impl_->held_by_limit.at(limit);
    for (const auto& relay : names.relays) impl_->relays.at(relay);
    for (const auto& kind : names.protocol_errors) impl_->protocol_errors.at(kind);
}

void Metrics::transaction_ended(std::string_view lane, Outcome outcome, core::Duration total,
                                core::Duration added_latency) {
    impl_->lanes.at(lane).transactions[index(outcome)]->Increment();
    impl_->duration.Observe(to_seconds(total));
    impl_->added_latency.Observe(to_seconds(added_latency));
}

void Metrics::recipients_ended(std::string_view lane, Outcome outcome, std::uint64_t count) {
    impl_->lanes.at(lane).recipients[index(outcome)]->Increment(static_cast<double>(count));
}

void Metrics::held(HeldReason reason, std::string_view limit) {
    const bool has_limit = reason == HeldReason::limit && !limit.empty();
    Counter* const counter = has_limit ? impl_->held_by_limit.at(limit) : impl_->held_by_reason[index(reason)];
    counter->Increment();
}

void Metrics::relay_replied(std::string_view relay, ReplyClass reply_class) {
    impl_->relays.at(relay).replies[index(reply_class)]->Increment();
}

void Metrics::relay_tls_handshake(std::string_view relay, bool is_resumed) {
    impl_->relays.at(relay).tls_handshakes[is_resumed ? 1 : 0]->Increment();
}

void Metrics::session_opened(Side side) {
    impl_->sessions_by_side[index(side)]->Increment();
}

void Metrics::session_closed(Side side) {
    impl_->sessions_by_side[index(side)]->Decrement();
}

void Metrics::relay_connections(std::string_view relay, std::int64_t busy_change, std::int64_t idle_change) {
    const RelaySeries& series = impl_->relays.at(relay);
    series.busy->Increment(static_cast<double>(busy_change));
    series.idle->Increment(static_cast<double>(idle_change));
}

Metrics::Connections Metrics::connections_of(std::string_view relay) const {
    const RelaySeries& series = impl_->relays.at(relay);
    return {.busy = static_cast<std::uint64_t>(std::max(series.busy->Value(), 0.0)),
            .idle = static_cast<std::uint64_t>(std::max(series.idle->Value(), 0.0))};
}

void Metrics::protocol_error(std::string_view kind) {
    impl_->protocol_errors.at(kind)->Increment();
}

void Metrics::outcome_unknown() {
    impl_->unknown_outcomes.Increment();
}

void Metrics::config_reloaded(bool successful) {
    impl_->reload_successful.Set(successful ? 1 : 0);
    if (successful) impl_->reload_time.SetToCurrentTime();
}

void Metrics::accept_failed() {
    impl_->accept_failures.Increment();
}

void Metrics::set_snapshot_source(std::function<Snapshot()> source) {
    const std::lock_guard lock(impl_->source_mutex);
    impl_->source = std::move(source);
}

std::string Metrics::render() const {
    auto families = impl_->registry.Collect();
    for (auto& family : families) std::ranges::sort(family.metric, {}, &prometheus::ClientMetric::label);
    {
        // Held during the call, so that whoever replaces a source knows that the old one is no longer running.
        const std::lock_guard lock(impl_->source_mutex);
        if (impl_->source) add_snapshot(families, impl_->source());
    }
    add_process(families, read_process_figures());
    return prometheus::TextSerializer().Serialize(families);
}

Metrics::Totals Metrics::totals() const {
    std::array<double, outcomes.size()> sums{};
    impl_->lanes.for_each([&sums](const LaneSeries& lane) {
        for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += lane.transactions[i]->Value();
    });
    const auto sum = [&sums](Outcome outcome) { return static_cast<std::uint64_t>(sums[index(outcome)]); };
    const auto open = [this](Side side) {
        return static_cast<std::int64_t>(impl_->sessions_by_side[index(side)]->Value());
    };
    return {.relayed = sum(Outcome::relayed),
            .held = sum(Outcome::held),
            .relay_tempfail = sum(Outcome::relay_tempfail),
            .relay_reject = sum(Outcome::relay_reject),
            .aborted = sum(Outcome::aborted),
            .client_sessions = open(Side::client),
            .relay_sessions = open(Side::relay)};
}

}  // namespace weir::telemetry
