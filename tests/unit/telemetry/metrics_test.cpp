#include "weir/telemetry/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <thread>
#include <vector>

#include "every_metric.hpp"
#include "promtool.hpp"

namespace weir::telemetry {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

std::size_t count_series(const std::string& text) {
    std::size_t series = 0;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) series += line.starts_with('#') ? 0 : 1;
    return series;
}

/// Empty when promtool has nothing to complain of.
std::string complaints_about(const std::string& text) {
    const auto result = promtool("check metrics", text);
    return result.status == 0 ? result.output : "exit status " + std::to_string(result.status) + ": " + result.output;
}

TEST(Metrics, StartAtZeroRatherThanMissing) {
    Metrics metrics;
    metrics.declare({.lanes = {"priority"}, .limits = {"client"}, .relays = {"[smtp.isp.example]:587"}});
    const auto text = metrics.render();
    for (const auto* series : {
             R"(weir_transactions_total{lane="default",outcome="relayed"} 0)",
             R"(weir_transactions_total{lane="priority",outcome="held"} 0)",
             R"(weir_recipients_total{lane="default",outcome="relay_reject"} 0)",
             R"(weir_held_total{limit="client",reason="limit"} 0)",
             R"(weir_held_total{limit="",reason="relay_unreachable"} 0)",
             R"(weir_relay_replies_total{class="reputation",relay="[smtp.isp.example]:587"} 0)",
             R"(weir_relay_connections{relay="[smtp.isp.example]:587",state="idle"} 0)",
             R"(weir_relay_tls_handshakes_total{relay="[smtp.isp.example]:587",resumed="true"} 0)",
             R"(weir_protocol_errors_total{kind="other"} 0)",
             R"(weir_sessions{side="client"} 0)",
             "weir_outcome_unknown_total 0",
             "weir_accept_failures_total 0",
             "weir_added_latency_seconds_count 0",
             "weir_transaction_duration_seconds_count 0",
             "weir_config_last_reload_successful 1",
         }) {
        EXPECT_THAT(text, HasSubstr(series + std::string("\n")));
    }
}

TEST(Metrics, CountWhatHappens) {
    Metrics metrics;
    metrics.transaction_ended("default", Outcome::relayed, 120ms, 3ms);
    metrics.recipients_ended("default", Outcome::relayed, 7);
    metrics.held(HeldReason::limit, "client");
    metrics.held(HeldReason::relay_unreachable, "");
    metrics.relay_replied("isp", ReplyClass::rate);
    metrics.relay_connections("isp", 1, 0);
    metrics.relay_connections("isp", -1, 1);
    metrics.relay_tls_handshake("isp", true);
    metrics.session_opened(Side::client);
    metrics.session_opened(Side::client);
    metrics.session_closed(Side::client);
    metrics.protocol_error("bare_lf");
    metrics.config_reloaded(false);
    const auto text = metrics.render();
    for (const auto* series : {
             R"(weir_transactions_total{lane="default",outcome="relayed"} 1)",
             R"(weir_recipients_total{lane="default",outcome="relayed"} 7)",
             R"(weir_held_total{limit="client",reason="limit"} 1)",
             R"(weir_held_total{limit="",reason="relay_unreachable"} 1)",
             R"(weir_relay_replies_total{class="rate",relay="isp"} 1)",
             R"(weir_relay_connections{relay="isp",state="busy"} 0)",
             R"(weir_relay_connections{relay="isp",state="idle"} 1)",
             R"(weir_sessions{side="client"} 1)",
             R"(weir_protocol_errors_total{kind="bare_lf"} 1)",
             R"(weir_transaction_duration_seconds_bucket{le="0.1"} 0)",
             R"(weir_transaction_duration_seconds_bucket{le="0.25"} 1)",
             R"(weir_added_latency_seconds_bucket{le="0.005"} 1)",
             "weir_config_last_reload_successful 0",
         }) {
        EXPECT_THAT(text, HasSubstr(series + std::string("\n")));
    }
}

TEST(Metrics, SatisfyPromtool) {
    Metrics metrics;
    EXPECT_EQ(complaints_about(metrics.render()), "");
    touch_every_metric(metrics);
    EXPECT_EQ(complaints_about(metrics.render()), "");
}

TEST(Metrics, EscapeWhatALabelMayNotHold) {
    Metrics metrics;
    metrics.relay_replied("a\"b\\c\nd\xff", ReplyClass::ok);
    metrics.set_snapshot_source(
        [] { return Metrics::Snapshot{.top_origins = {{.origin = "evil\"} 1\nweir_forged 1", .messages = 1}}}; });
    const auto text = metrics.render();
    EXPECT_EQ(complaints_about(text), "");
    EXPECT_THAT(text, Not(HasSubstr("\nweir_forged")));
    EXPECT_THAT(text, HasSubstr(R"(relay="a\"b\\c?d?")"));
}

TEST(Metrics, AreBoundedWhateverTheCallersPass) {
    Metrics metrics;
    touch_every_metric(metrics);
    std::vector<Metrics::Snapshot::Limit> limits;
    std::vector<Metrics::Snapshot::Origin> origins;
    for (int i = 0; i < 100'000; ++i) {
        const std::string garbage = "garbage " + std::to_string(i) + std::string(300, '\xff');
        const std::string short_garbage = std::to_string(i) + "\xff";
        for (const auto& word : {garbage, short_garbage}) {
            metrics.transaction_ended(word, Outcome::held, 1ms, 1ms);
            metrics.recipients_ended(word, Outcome::held, 1);
            metrics.held(HeldReason::limit, word);
            metrics.relay_replied(word, ReplyClass::ok);
            metrics.relay_connections(word, 1, 0);
            metrics.protocol_error(word);
        }
        limits.push_back({.name = short_garbage, .tracked_keys = 1, .remaining = 1});
        origins.push_back({.origin = short_garbage, .messages = 1});
    }
    metrics.set_snapshot_source([&] { return Metrics::Snapshot{limits, origins}; });
    const auto text = metrics.render();
    // 65 lanes x 10, 260 held, 65 relays x 11, 33 kinds, 2 x 257 limits, 20 origins, two histograms and the rest.
    EXPECT_LT(count_series(text), 2400U);
    EXPECT_LT(text.size(), 512U * 1024);
    EXPECT_EQ(metrics.totals().held, 200'001U) << "what is over the bound is counted, not lost";
    EXPECT_EQ(complaints_about(text), "");
}

TEST(Metrics, MergeLimitsOfOneName) {
    Metrics metrics;
    metrics.set_snapshot_source([] {
        return Metrics::Snapshot{.limits = {{.name = "client", .tracked_keys = 3, .remaining = 9},
                                            {.name = "client", .tracked_keys = 4, .remaining = 2},
                                            {.name = "domain", .tracked_keys = 1}}};
    });
    const auto text = metrics.render();
    EXPECT_THAT(text, HasSubstr("weir_tracked_keys{limit=\"client\"} 7\n"));
    EXPECT_THAT(text, HasSubstr("weir_budget_remaining{limit=\"client\"} 2\n"));
    EXPECT_THAT(text, Not(HasSubstr("weir_budget_remaining{limit=\"domain\"}")));
}

TEST(Metrics, AddUpOverLanesAndThreads) {
    Metrics metrics;
    std::vector<std::jthread> threads;
    for (const auto* lane : {"default", "priority"}) {
        threads.emplace_back([&metrics, lane] {
            for (int i = 0; i < 10'000; ++i) metrics.transaction_ended(lane, Outcome::relayed, 1ms, 1ms);
        });
    }
    threads.clear();
    metrics.session_opened(Side::relay);
    EXPECT_EQ(metrics.totals().relayed, 20'000U);
    EXPECT_EQ(metrics.totals().relay_sessions, 1);
}

TEST(Metrics, ShowCountsInFullUpTo15Digits) {
    Metrics metrics;
    metrics.recipients_ended("default", Outcome::relayed, 123'456'789'012'345);
    EXPECT_THAT(metrics.render(), HasSubstr("outcome=\"relayed\"} 123456789012345\n"));
}

}  // namespace
}  // namespace weir::telemetry
