// More sessions than there is room for: those that are there cost little, those beyond wait instead of being refused,
// and descriptors are left for the relay and for /metrics.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "support/fake_upstream.hpp"
#include "support/sanitizers.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string configuration(const std::string& sessions, int max_connections = 2) {
    return "listen: [\"{{listen}}\"]\nsessions: " + sessions +
           "\nupstream: {relays: [\"{{relay}}\"], max_connections: " + std::to_string(max_connections) +
           "}\nlimits: []\nadmin: {listen: \"{{admin}}\"}\n";
}

/// Sessions that have been greeted and are idle since.
std::vector<SmtpClient> idle_sessions(std::size_t count, std::uint16_t port) {
    std::vector<SmtpClient> sessions;
    for (std::size_t i = 0; i < count; ++i) {
        // Many addresses: one alone runs out of ports.
        sessions.emplace_back(port, "127.0.0." + std::to_string(1 + i / 5000));
        sessions.back().expect(220);
    }
    return sessions;
}

bool is_silent(SmtpClient& client) {
    pollfd waiting{.fd = client.socket().descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, 150) == 0;
}

TEST(ManySessions, TenThousandIdleOnesCostLittleAndLeaveRoomForWork) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    constexpr std::size_t wanted = 10'000;
    const std::size_t count = std::min<std::size_t>(wanted, limit.rlim_max - 500);
    if (count < wanted) std::cerr << "only " << count << " sessions: the hard limit of open files forbids more\n";

    FakeUpstream relay;
    const WeirProcess weir(configuration("{}"), {{"relay", relay.address()}});
    weir.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
    const double before = weir.metric("process_resident_memory_bytes");
    const auto sessions = idle_sessions(count, weir.port("listen"));
    EXPECT_EQ(weir.metric("weir_sessions", {{"side", "client"}}), static_cast<double>(count));
    const double each = (weir.metric("process_resident_memory_bytes") - before) / static_cast<double>(count);
    std::cerr << each << " bytes for each of " << count << " idle sessions\n";
    RecordProperty("bytes_per_idle_session", std::to_string(each));
    EXPECT_LT(each, 8 * 1024 * (is_sanitized() ? 4 : 1));

    relay.close_all();  // a new relay connection needs a descriptor too
    SmtpClient client(weir.port("listen"));
    client.greet();
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(client.deliver({}).decisive().code, 250);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(1));
}

TEST(ManySessions, BeyondTheMaximumWaitForTheirGreetingAndAreServedWhenOthersEnd) {
    FakeUpstream relay;
    const WeirProcess weir(configuration("{max: 5}"), {{"relay", relay.address()}});
    auto sessions = idle_sessions(5, weir.port("listen"));
    for (SmtpClient& session : sessions) session.say_ehlo();
    std::vector<SmtpClient> waiting;
    // The listener may have taken one more than there is room for, no matter how many come.
    for (int i = 0; i < 3; ++i) waiting.emplace_back(weir.port("listen"));
    EXPECT_TRUE(is_silent(waiting[2]));
    EXPECT_LE(weir.metric("weir_sessions", {{"side", "client"}}), 6);
    EXPECT_EQ(sessions[0].deliver({}).decisive().code, 250);
    sessions[0].quit();
    sessions[1].quit();
    sessions[2].quit();
    for (SmtpClient& client : waiting) {
        client.greet();
        EXPECT_EQ(client.deliver({}).decisive().code, 250);
    }
}

TEST(ManySessions, IdleOnesEndSoonerWhenOthersWaitAndBusyOnesDoNot) {
    FakeUpstream relay;
    const WeirProcess weir(configuration("{max: 3, timeout_when_full: 300ms}"), {{"relay", relay.address()}});
    SmtpClient idle(weir.port("listen"));
    idle.greet();
    SmtpClient in_envelope(weir.port("listen"));
    in_envelope.greet();
    EXPECT_EQ(in_envelope.command("MAIL FROM:<a@customer.example>").code, 250);
    SmtpClient in_body(weir.port("listen"));
    in_body.greet();
    in_body.send("MAIL FROM:<a@customer.example>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
    for (const int code : {250, 250, 354}) in_body.expect(code);

    SmtpClient fourth(weir.port("listen"));
    SmtpClient fifth(weir.port("listen"));
    EXPECT_THAT(idle.read_reply().summary(), StartsWith("421 4.4.2"));
    fourth.greet();
    fourth.quit();
    fifth.greet();
    in_body.send("Hello.\r\n.\r\n");
    in_body.expect(250);
    EXPECT_EQ(in_envelope.command("RCPT TO:<b@example.net>").code, 250);
}

TEST(ManySessions, StrangersAreStillTurnedAwayAtOnce) {
    FakeUpstream relay;
    const WeirProcess weir(
        "listen: [\"{{listen}}\"]\ntrusted_clients: 127.0.0.1\nupstream: {relays: [\"{{relay}}\"]}\nsessions: {max: "
        "20}\n",
        {{"relay", relay.address()}});
    const auto try_one = [&] {
        SmtpClient stranger(weir.port("listen"), "127.0.0.2");
        EXPECT_THAT(stranger.read_reply().summary(), StartsWith("554 5.7.1"));
        stranger.expect_close();
    };
    for (int i = 0; i < 500; ++i) try_one();
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // one line a second is written: let it be over
    try_one();
    weir.wait_for_log("suppressed");
    const std::string log = weir.log();
    std::size_t lines = 0;
    for (auto at = log.find("not in trusted_clients"); at != log.npos; at = log.find("not in trusted_clients", at + 1))
        ++lines;
    EXPECT_LE(lines, 10U) << "a line a second is enough";
}

TEST(FewDescriptors, AreKeptForTheRelayAndForMetrics) {
    FakeUpstream relay;
    const WeirProcess weir(configuration("{}", 10), {{"relay", relay.address()}}, 160);
    weir.wait_for_log("but only");
    std::vector<SmtpClient> all;
    for (int i = 0; i < 300; ++i) all.emplace_back(weir.port("listen"));
    for (int i = 0; i < 30; ++i) all[static_cast<std::size_t>(i)].expect(220);
    relay.close_all();
    EXPECT_THAT(weir.metrics(), HasSubstr("weir_sessions"));

    // Ten messages at once, each with a relay connection of its own.
    relay.on(Stage::dot, stall());
    std::vector<std::thread> senders;
    std::atomic<int> delivered{0};
    for (std::size_t i = 0; i < 10; ++i) {
        senders.emplace_back([&, i] {
            all[i].say_ehlo();
            if (all[i].deliver({}).decisive().code == 250) ++delivered;
        });
    }
    relay.wait_for_stalled(10);
    EXPECT_THAT(weir.metrics(), HasSubstr("weir_sessions"));
    relay.forget_rules();
    relay.resume();
    for (std::thread& sender : senders) sender.join();
    EXPECT_EQ(delivered, 10);
    EXPECT_EQ(weir.metric("weir_accept_failures_total"), 0);

    const double cpu = weir.metric("process_cpu_seconds_total");
    std::this_thread::sleep_for(std::chrono::seconds(1));  // nothing happens: that is what is measured
    EXPECT_LT(weir.metric("process_cpu_seconds_total") - cpu, 0.05) << "it spins";

    // Nobody is dropped without a word: as places become free, each in turn is greeted.
    for (SmtpClient& client : all) {
        if (&client - all.data() >= 30) client.expect(220);
        client.socket().close();
    }
}

TEST(NoDescriptorAtAll, MakesConnectionsWaitWithoutSpinningAndIsOverWhenItIsOver) {
    if (is_sanitized())
        GTEST_SKIP() << "UBSan needs a descriptor of its own to look at memory, and sees ghosts without";
    FakeUpstream relay;
    const WeirProcess weir(configuration("{}"), {{"relay", relay.address()}});
    SmtpClient early(weir.port("listen"));
    early.greet();
    const double cpu = weir.metric("process_cpu_seconds_total");
    weir.limit_descriptors(3);
    std::vector<SmtpClient> waiting;
    for (int i = 0; i < 20; ++i) waiting.emplace_back(weir.port("listen"));
    EXPECT_TRUE(is_silent(waiting.front()));
    weir.wait_for_log("cannot accept connections");
    std::this_thread::sleep_for(std::chrono::seconds(1));  // nothing can happen: that is what is measured
    EXPECT_EQ(early.command("NOOP").code, 250);
    weir.limit_descriptors(1000);
    for (SmtpClient& client : waiting) client.greet();
    EXPECT_GE(weir.metric("weir_accept_failures_total"), 1);
    EXPECT_LT(weir.metric("process_cpu_seconds_total") - cpu, 0.1) << "it spins";
    EXPECT_EQ(waiting.back().deliver({}).decisive().code, 250);
    EXPECT_EQ(early.deliver({}).decisive().code, 250);
}

}  // namespace
}  // namespace weir::test
