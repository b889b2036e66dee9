// SIGHUP: counts, sessions and connections survive; a bad file changes nothing and says so.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::HasSubstr;

std::string with_limit(const std::string& quota) {
    return R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"]}
limits: [{name: client, per: client, messages: )" +
           quota + R"(}]
admin: {listen: "{{admin}}"}
)";
}

class Reload : public testing::Test {
protected:
    int deliver() { return client_.deliver({}).decisive().code; }

    void SetUp() override {
        client_.greet();
        // The connection that was made to learn what the relay offers is back in the pool.
        weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
    }

    FakeUpstream relay_;
    WeirProcess weir_{with_limit("3/h"), {{"relay", relay_.address()}}};
    SmtpClient client_{weir_.port("listen")};
};

TEST_F(Reload, KeepsCountsSessionsAndRelayConnections) {
    EXPECT_EQ(deliver(), 250);
    EXPECT_EQ(deliver(), 250);
    weir_.reload(with_limit("3/h"));
    EXPECT_EQ(deliver(), 250);
    EXPECT_EQ(deliver(), 451) << "the reload has forgotten what was sent before it";
    EXPECT_EQ(relay_.connections(), 1U);
    EXPECT_EQ(weir_.metric("weir_config_last_reload_successful"), 1);
}

TEST_F(Reload, AppliesNewLimitsAtOnce) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(deliver(), 250);
    EXPECT_EQ(deliver(), 451);
    weir_.reload(with_limit("100/h burst 6"));
    EXPECT_EQ(deliver(), 250);
}

TEST_F(Reload, RefusesABadFileAndKeepsTheOldSettings) {
    weir_.reload("listen: [\"{{listen}}\"]\nlimits: nonsense\n");
    EXPECT_EQ(weir_.metric("weir_config_last_reload_successful"), 0);
    weir_.wait_for_log("reload refused");
    EXPECT_THAT(weir_.admin({.target = "/api/v1/status"}).body, HasSubstr("\"last_reload_successful\":false"));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(deliver(), 250);
    EXPECT_EQ(deliver(), 451);
    weir_.reload(with_limit("3/h"));
    EXPECT_EQ(weir_.metric("weir_config_last_reload_successful"), 1);
}

TEST_F(Reload, OpensAndClosesAddresses) {
    weir_.reload(R"(
listen: ["{{listen}}", "{{second}}"]
upstream: {relays: ["{{relay}}"]}
admin: {listen: "{{admin}}"}
)");
    SmtpClient second(weir_.port("second"));
    second.greet();
    EXPECT_EQ(second.deliver({}).decisive().code, 250);
    weir_.reload(with_limit("3/h"));
    EXPECT_EQ(second.deliver({}).decisive().code, 250) << "a session outlives its listening address";
}

TEST(Drain, LetsTheReplyToAFinalDotArrive) {
    FakeUpstream relay;
    WeirProcess weir(with_limit("100/h"), {{"relay", relay.address()}});
    SmtpClient client(weir.port("listen"));
    client.greet();
    relay.on(Stage::dot, stall());
    client.send("MAIL FROM:<a@customer.example>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
    client.expect(250);
    client.expect(250);
    client.expect(354);
    client.send("Subject: x\r\n\r\nbody\r\n.\r\n");
    relay.wait_for_stalled(1);
    weir.signal(SIGTERM);
    weir.wait_for_log("draining");
    relay.resume();
    client.expect(250);
    client.expect_close();
    EXPECT_EQ(weir.wait_exit(), 0);
    EXPECT_EQ(relay.accepted().size(), 1U);
}

TEST(Drain, LetsAMessageUnderWayEnd) {
    FakeUpstream relay;
    WeirProcess weir(with_limit("100/h"), {{"relay", relay.address()}});
    SmtpClient client(weir.port("listen"));
    client.greet();
    EXPECT_EQ(client.command("MAIL FROM:<a@customer.example>").code, 250);
    weir.signal(SIGTERM);
    weir.wait_for_log("draining");
    EXPECT_EQ(client.command("RCPT TO:<b@example.net>").code, 250);
    EXPECT_EQ(client.command("DATA").code, 354);
    client.send("Subject: x\r\n\r\nbody\r\n.\r\n");
    client.expect(250);
    client.expect_close();
    EXPECT_EQ(weir.wait_exit(), 0);
}

TEST(Drain, ClosesASessionThatRestsAfterAMessage) {
    FakeUpstream relay;
    WeirProcess weir(with_limit("100/h"), {{"relay", relay.address()}});
    SmtpClient client(weir.port("listen"));
    client.greet();
    EXPECT_EQ(client.deliver({}).decisive().code, 250);
    weir.signal(SIGTERM);
    client.expect_close();
    EXPECT_EQ(weir.wait_exit(), 0);
}

TEST(Start, FailsClearlyWhenAnAddressIsTaken) {
    FakeUpstream relay;  // listens without SO_REUSEPORT: nobody may listen beside it
    EXPECT_THROW(WeirProcess("listen: [\"127.0.0.1:" + std::to_string(relay.port()) +
                                 "\"]\nupstream: {relays: [\"{{relay}}\"]}\n",
                             {{"relay", relay.address()}}),
                 TestFailure);
}

}  // namespace
}  // namespace weir::test
