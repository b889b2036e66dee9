// Connections to the relay are kept and shared; one that has died meanwhile is replaced, and nobody notices.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"], max_messages_per_connection: 5}
limits: []
admin: {listen: "{{admin}}"}
)";

class PooledConnection : public testing::Test {
protected:
    int deliver() { return client_.deliver({}).decisive().code; }

    void SetUp() override {
        client_.greet();
        // The connection that was made to learn what the relay offers is back in the pool.
        weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
    }

    FakeUpstream relay_;
    WeirProcess weir_{configuration, {{"relay", relay_.address()}}};
    SmtpClient client_{weir_.port("listen")};
};

TEST_F(PooledConnection, CarriesOneMessageAfterAnother) {
    for (int i = 0; i < 4; ++i) EXPECT_EQ(deliver(), 250);
    EXPECT_EQ(relay_.connections(), 1U);
}

TEST_F(PooledConnection, IsRetiredAfterItsShareOfMessages) {
    for (int i = 0; i < 12; ++i) EXPECT_EQ(deliver(), 250);
    EXPECT_EQ(relay_.connections(), 3U);
}

TEST_F(PooledConnection, ThatTheRelayClosedIsReplacedSilently) {
    EXPECT_EQ(deliver(), 250);
    relay_.close_all();
    EXPECT_EQ(deliver(), 250);
    EXPECT_EQ(relay_.wait_for_accepted(2).size(), 2U);
}

TEST_F(PooledConnection, ThatDiesAtMailIsReplacedSilently) {
    EXPECT_EQ(deliver(), 250);
    relay_.once(Stage::mail, drop());
    EXPECT_EQ(deliver(), 250);
    EXPECT_EQ(relay_.connections(), 2U);
}

TEST_F(PooledConnection, ThatSaysFarewellAtMailIsReplacedSilently) {
    EXPECT_EQ(deliver(), 250);
    relay_.once(Stage::mail, reply_and_close("421 4.4.2 idle for too long"));
    EXPECT_EQ(deliver(), 250);
}

TEST_F(PooledConnection, ThatDiesAtDataIsReplacedWithTheWholeEnvelope) {
    EXPECT_EQ(deliver(), 250);
    relay_.once(Stage::data, drop());
    Message message;
    message.recipients = {"a@example.net", "b@example.net"};
    EXPECT_EQ(client_.deliver(message).decisive().code, 250);
    EXPECT_EQ(relay_.wait_for_accepted(2).back().recipients.size(), 2U);
}

TEST_F(PooledConnection, IsReplacedOnlyOnce) {
    EXPECT_EQ(deliver(), 250);
    relay_.on(Stage::mail, drop());
    EXPECT_EQ(deliver(), 451);
    EXPECT_EQ(relay_.connections(), 2U);
}

TEST_F(PooledConnection, IsNeverReplacedOnceTheBodyHasBegun) {
    EXPECT_EQ(deliver(), 250);
    relay_.once(Stage::dot, drop());
    EXPECT_EQ(deliver(), 451);
    EXPECT_EQ(relay_.transactions().size(), 2U) << "the second message went out twice";
}

TEST_F(PooledConnection, IsResetAfterAProbe) {
    client_.command("MAIL FROM:<a@customer.example>");
    client_.command("RCPT TO:<b@example.net>");
    EXPECT_EQ(client_.command("RSET").code, 250);
    EXPECT_EQ(deliver(), 250);
    EXPECT_EQ(relay_.connections(), 1U);
    EXPECT_THAT(relay_.commands(), testing::Contains("RSET"));
    EXPECT_EQ(relay_.wait_for_accepted(1).front().recipients.size(), 1U);
}

// Postfix waits 120 s for the reply to DATA, and the search for another connection must fit into that.
TEST(PooledConnectionTimeouts, ReplacingOneTakesNoLongerThanTheCommandMay) {
    FakeUpstream relay;
    const WeirProcess weir(R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"], connect_timeout: 20s, timeouts: {data: 500ms}}
limits: []
admin: {listen: "{{admin}}"}
)",
                           {{"relay", relay.address()}});
    weir.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
    SmtpClient client(weir.port("listen"));
    client.greet();
    EXPECT_EQ(client.deliver({}).decisive().code, 250);
    relay.once(Stage::data, drop());
    relay.on(Stage::greeting, stall());
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(client.deliver({}).decisive().code, 451);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
    relay.forget_rules();
    relay.resume();
}

TEST(ConnectionBound, HoldsOverAllWorkers) {
    FakeUpstream relay;
    const WeirProcess weir(R"(
listen: ["{{listen}}"]
workers: 2
upstream: {relays: ["{{relay}}"], max_connections: 2}
limits: []
admin: {listen: "{{admin}}"}
)",
                           {{"relay", relay.address()}});
    constexpr int clients = 8;
    constexpr int messages = 25;
    std::atomic<int> delivered{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < clients; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < messages; ++k) {
                SmtpClient client(weir.port("listen"));
                client.greet();
                if (client.deliver({}).decisive().code == 250) ++delivered;
                client.quit();
            }
        });
    }
    std::size_t most = 0;
    std::atomic<bool> done{false};
    std::thread watch([&] {
        while (!done) most = std::max(most, relay.open_connections());
    });
    for (std::thread& thread : threads) thread.join();
    done = true;
    watch.join();
    EXPECT_EQ(delivered, clients * messages);
    EXPECT_GE(most, 1U);
    EXPECT_LE(most, 2U);
}

}  // namespace
}  // namespace weir::test
