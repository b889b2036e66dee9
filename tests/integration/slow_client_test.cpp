// Clients that take their time: a session cannot be held by dripping bytes into it, and nobody is blamed for time in
// which Weir itself did not read.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::StartsWith;

constexpr auto configuration = R"(
listen: ["{{listen}}"]
sessions: {command_timeout: 400ms, body_timeout: 400ms, min_body_rate: 10000}
upstream: {relays: ["{{relay}}"]}
limits: []
admin: {listen: "{{admin}}"}
)";

class SlowClient : public testing::Test {
protected:
    void SetUp() override {
        weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
        relay_.forget_bodies();
    }

    /// A byte every 50 ms, never silent for long, until there is something to read.
    static Heard drip_until_answered(SmtpClient& client) {
        std::atomic<bool> done{false};
        std::thread dripping([&] {
            while (!done) {
                try {
                    client.send("x");
                } catch (const std::exception&) {
                    return;  // Weir has hung up
                }
                std::this_thread::sleep_for(std::chrono::milliseconds(50));  // this slowness is what is tested
            }
        });
        Heard heard;
        try {
            heard = client.read_reply();
        } catch (const std::exception& error) {
            ADD_FAILURE() << error.what();
        }
        done = true;
        dripping.join();
        return heard;
    }

    static void begin_body(SmtpClient& client) {
        client.send("MAIL FROM:<a@customer.example>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
        for (const int code : {250, 250, 354}) client.expect(code);
    }

    FakeUpstream relay_;
    WeirProcess weir_{configuration, {{"relay", relay_.address()}}};
};

TEST_F(SlowClient, MayNotDripACommandForEver) {
    SmtpClient client(weir_.port("listen"));
    client.greet();
    EXPECT_THAT(drip_until_answered(client).summary(), StartsWith("421 4.4.2"));
    weir_.wait_for_metric("weir_sessions", {{"side", "client"}}, 0);
}

TEST_F(SlowClient, MayNotDripABodyForEverAndTheRelayGetsNoDot) {
    SmtpClient client(weir_.port("listen"));
    client.greet();
    begin_body(client);
    EXPECT_THAT(drip_until_answered(client).summary(), StartsWith("421 4.4.2"));
    weir_.wait_for_metric("weir_sessions", {{"side", "client"}}, 0);
    weir_.wait_for_metric("weir_relay_connections", {{"state", "busy"}}, 0);
    relay_.wait_for_open_connections(0);
    EXPECT_TRUE(relay_.transactions().empty());
}

TEST_F(SlowClient, MayNotBeSilentForEver) {
    SmtpClient client(weir_.port("listen"));
    client.greet();
    EXPECT_THAT(client.read_reply().summary(), StartsWith("421 4.4.2"));
    client.expect_close();
}

TEST_F(SlowClient, MayTakeLongInAllWhenEachCommandIsQuick) {
    SmtpClient client(weir_.port("listen"));
    client.greet();
    for (int i = 0; i < 8; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));  // twice the timeout in all
        EXPECT_EQ(client.command("NOOP").code, 250);
    }
}

TEST_F(SlowClient, IsNotBlamedForARelayThatDoesNotRead) {
    relay_.once(Stage::body, stall());
    SmtpClient client(weir_.port("listen"));
    client.greet();
    begin_body(client);
    std::thread sender([&] {
        const std::string line(62, 'x');
        std::string lines;
        while (lines.size() < 1'000'000) lines += line + "\r\n";
        for (int i = 0; i < 24; ++i) client.send(lines);
        client.send(".\r\n");
    });
    relay_.wait_for_stalled(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1000));  // more than the timeout: the client cannot write
    relay_.resume();
    sender.join();
    client.expect(250);
}

TEST_F(SlowClient, IsNotBlamedForARelayThatTakesItsTimeWithAReply) {
    SmtpClient client(weir_.port("listen"));
    client.greet();
    relay_.once(Stage::mail, stall());
    client.send("MAIL FROM:<a@customer.example>\r\n");
    relay_.wait_for_stalled(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(600));  // more than the timeout
    relay_.resume();
    client.expect(250);
    EXPECT_EQ(client.command("RCPT TO:<b@example.net>").code, 250);
}

TEST_F(SlowClient, LeavesTheOthersAlone) {
    std::vector<SmtpClient> slow;
    for (int i = 0; i < 200; ++i) {
        slow.emplace_back(weir_.port("listen"));
        slow.back().send("EH");
    }
    SmtpClient client(weir_.port("listen"));
    client.greet();
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(client.deliver({}).decisive().code, 250);
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(1));
    client.quit();
    weir_.wait_for_metric("weir_sessions", {{"side", "client"}}, 0);
}

}  // namespace
}  // namespace weir::test
