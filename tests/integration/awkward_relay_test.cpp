// Relays that are slow, picky or of the old school, and clients that do not wait for them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::StartsWith;

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"]}
limits: []
admin: {listen: "{{admin}}"}
)";

class AwkwardRelay : public testing::Test {
protected:
    void SetUp() override { weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1); }

    FakeUpstream relay_;
    WeirProcess weir_{configuration, {{"relay", relay_.address()}}};
    SmtpClient client_{weir_.port("listen")};
};

TEST_F(AwkwardRelay, GreetingAndEhloDoNotNeedARelay) {
    relay_.stop_listening();
    relay_.close_all();
    SmtpClient other(weir_.port("listen"));
    EXPECT_FALSE(other.greet().empty());
    const Delivery delivery = other.deliver({});
    EXPECT_THAT(delivery.decisive().summary(), StartsWith("451 4.4.1 weir: relay unreachable"));
    weir_.wait_for_metric("weir_held_total", {{"reason", "relay_unreachable"}}, 1);
    other.quit();
}

TEST_F(AwkwardRelay, RefusedRecipientsLeaveTheOthersAlone) {
    client_.greet();
    relay_.add_rule([](const FakeUpstream::Step& step) -> std::optional<Reaction> {
        if (step.stage != Stage::rcpt) return std::nullopt;
        if (step.line.find("full@") != std::string_view::npos) return reply("452 4.2.2 mailbox full");
        if (step.line.find("none@") != std::string_view::npos) return reply("550 5.1.1 unknown");
        return std::nullopt;
    });
    Message message;
    message.recipients = {"a@example.net", "full@example.net", "b@example.net", "none@example.net", "c@example.net"};
    const Delivery delivery = client_.deliver(message);
    std::vector<int> codes;
    for (const Heard& heard : delivery.recipients) codes.push_back(heard.code);
    EXPECT_THAT(codes, testing::ElementsAre(250, 452, 250, 550, 250));
    EXPECT_EQ(delivery.decisive().code, 250);
    EXPECT_EQ(relay_.wait_for_accepted(1).front().recipients.size(), 3U);
}

TEST_F(AwkwardRelay, DataIsNeverSentWithoutARecipient) {
    client_.greet();
    relay_.on(Stage::rcpt, reply("550 5.1.1 unknown"));
    EXPECT_GE(client_.deliver({}).data.code, 500);
    EXPECT_THAT(relay_.commands(), testing::Not(testing::Contains("DATA")));
}

TEST_F(AwkwardRelay, RelayWithoutPipeliningOrEhloIsServedLineByLine) {
    relay_.add_rule([](const FakeUpstream::Step& step) -> std::optional<Reaction> {
        if (!step.line.starts_with("EHLO")) return std::nullopt;
        return reply("502 5.5.1 what is EHLO");
    });
    relay_.close_all();
    SmtpClient other(weir_.port("listen"));
    other.greet();
    Message message;
    message.recipients = {"a@example.net", "b@example.net", "c@example.net"};
    EXPECT_EQ(other.deliver(message).decisive().code, 250);
    EXPECT_EQ(other.deliver(message).decisive().code, 250);
    EXPECT_THAT(relay_.commands(), testing::Contains(StartsWith("HELO")));
}

/// Everything up to the final dot, whose reply the relay owes.
void send_message_that_stalls(SmtpClient& client, FakeUpstream& relay) {
    relay.once(Stage::dot, stall());
    client.send(
        "XFORWARD ADDR=198.51.100.7 IDENT=FIRST\r\nMAIL FROM:<a@customer.example>\r\n"
        "RCPT TO:<b@example.net>\r\nDATA\r\n");
    for (const int code : {250, 250, 250, 354}) client.expect(code);
    client.send(
        "Received: by mail.example (Postfix, from userid 0)\r\n\tid QUEUE1; Tue, 24 Nov 2026 02:03:04 +0000\r\n"
        "\r\nHello.\r\n.\r\n");
    relay.wait_for_stalled(1);
}

TEST_F(AwkwardRelay, VerdictIsAwaitedAndLoggedAlthoughTheClientHasHungUp) {
    client_.greet();
    send_message_that_stalls(client_, relay_);
    client_.socket().close();
    EXPECT_EQ(weir_.metric("weir_relay_connections", {{"state", "busy"}}), 1);
    relay_.resume();
    weir_.wait_for_log("relayed queue_id=QUEUE1 ident=FIRST");
    weir_.wait_for_metric("weir_transactions_total", {{"outcome", "relayed"}}, 1);
    weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
    EXPECT_EQ(relay_.accepted().size(), 1U);
}

TEST_F(AwkwardRelay, VerdictIsAwaitedAndLoggedAlthoughTheClientHasResetTheConnection) {
    client_.greet();
    send_message_that_stalls(client_, relay_);
    client_.socket().reset();
    relay_.resume();
    weir_.wait_for_log("relayed queue_id=QUEUE1 ident=FIRST");
    weir_.wait_for_metric("weir_transactions_total", {{"outcome", "relayed"}}, 1);
    weir_.wait_for_metric("weir_sessions", {{"side", "client"}}, 0);
}

TEST_F(AwkwardRelay, VerdictReachesAClientThatHasClosedItsWritingSide) {
    client_.greet();
    send_message_that_stalls(client_, relay_);
    client_.socket().close_writing();
    relay_.resume();
    client_.expect(250);
    client_.expect_close();
}

TEST_F(AwkwardRelay, LosesNoBudgetAndNoConnectionWhenTheClientLeavesBeforeTheDot) {
    const std::vector<std::string> steps = {"MAIL FROM:<a@customer.example>\r\n", "RCPT TO:<b@example.net>\r\n",
                                            "DATA\r\n", "half a mes"};
    for (std::size_t last = 0; last < steps.size(); ++last) {
        SmtpClient client(weir_.port("listen"));
        client.greet();
        for (std::size_t i = 0; i <= last; ++i) {
            client.send(steps[i]);
            if (i == 3) break;
            EXPECT_LT(client.read_reply().code, 400);
        }
        client.socket().close();
        weir_.wait_for_metric("weir_sessions", {{"side", "client"}}, 1);  // client_
        weir_.wait_for_metric("weir_relay_connections", {{"state", "busy"}}, 0);
    }
    weir_.wait_for_metric("weir_transactions_total", {{"outcome", "aborted"}}, 4);
    EXPECT_TRUE(relay_.transactions().empty()) << "a final dot was made up";
    client_.greet();
    EXPECT_EQ(client_.deliver({}).decisive().code, 250);
}

}  // namespace
}  // namespace weir::test
