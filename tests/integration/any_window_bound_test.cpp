// Promise 2: in every window T, what reaches the relay is at most burst + rate x T, whatever the number of
// connections and workers; and next to nothing of the budget is lost.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using std::chrono::steady_clock;

constexpr double rate = 50;  // messages a second
constexpr double burst = 20;
constexpr auto configuration = R"(
listen: ["{{listen}}"]
workers: 2
upstream: {relays: ["{{relay}}"], max_connections: 10}
limits: [{name: client, per: client, messages: 50/s burst 20}]
admin: {listen: "{{admin}}"}
)";

/// Eight connections of one client, each sending as fast as it is answered.
std::vector<steady_clock::time_point> arrivals_under_pressure(const WeirProcess& weir, FakeUpstream& relay,
                                                              std::chrono::seconds how_long) {
    const auto end = steady_clock::now() + how_long;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&weir, end] {
            SmtpClient client(weir.port("listen"));
            client.greet();
            while (steady_clock::now() < end) client.deliver({});
            client.quit();
        });
    }
    for (std::thread& thread : threads) thread.join();
    std::vector<steady_clock::time_point> arrivals;
    for (const Transaction& transaction : relay.accepted()) arrivals.push_back(transaction.begun);
    std::sort(arrivals.begin(), arrivals.end());
    return arrivals;
}

TEST(AnyWindowBound, HoldsWithEightConnectionsOverTwoWorkers) {
    FakeUpstream relay;
    const WeirProcess weir(configuration, {{"relay", relay.address()}});
    constexpr std::chrono::seconds duration{4};
    const auto arrivals = arrivals_under_pressure(weir, relay, duration);

    // MAIL is admitted a moment before the relay sees it, so arrivals may bunch up by what the machine delays them.
    constexpr double jitter = 0.1;
    for (std::size_t first = 0; first < arrivals.size(); ++first) {
        for (std::size_t last = first; last < arrivals.size(); ++last) {
            const std::chrono::duration<double> window = arrivals[last] - arrivals[first];
            const auto passed = static_cast<double>(last - first + 1);
            ASSERT_LE(passed, burst + rate * (window.count() + jitter) + 1) << "in " << window.count() << " s";
        }
    }
    const double budget = burst + rate * static_cast<double>(duration.count());
    EXPECT_GE(static_cast<double>(arrivals.size()), 0.95 * budget);
    RecordProperty("messages_passed", static_cast<int>(arrivals.size()));
    RecordProperty("budget", static_cast<int>(budget));
}

}  // namespace
}  // namespace weir::test
