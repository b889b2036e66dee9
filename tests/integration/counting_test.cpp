// What counts and what does not: recipients one by one, probes and refused mail not at all, a message that Postfix
// has split once, bytes as they really come, and in observe mode everything without holding anything.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Counting : public testing::Test {
protected:
    void start(const std::string& limits) {
        weir_ = std::make_unique<WeirProcess>("listen: [\"{{listen}}\"]\nupstream: {relays: [\"{{relay}}\"]}\n" +
                                                  limits + "\nadmin: {listen: \"{{admin}}\"}\n",
                                              WeirProcess::Words{{"relay", relay_.address()}});
        client_ = std::make_unique<SmtpClient>(weir_->port("listen"));
        client_->greet();
    }

    FakeUpstream relay_;
    std::unique_ptr<WeirProcess> weir_;
    std::unique_ptr<SmtpClient> client_;
};

TEST_F(Counting, RecipientsBeyondTheBudgetAreHeldAndTheOthersGo) {
    start("limits: [{name: client, per: client, recipients: 3/h}]");
    Message message;
    message.recipients = {"a@example.net", "b@example.net", "c@example.net", "d@example.net", "e@example.net"};
    const Delivery delivery = client_->deliver(message);
    std::vector<int> codes;
    for (const Heard& heard : delivery.recipients) codes.push_back(heard.code);
    EXPECT_THAT(codes, testing::ElementsAre(250, 250, 250, 451, 451));
    EXPECT_THAT(delivery.recipients.back().text,
                StartsWith("4.7.1 weir: client 198.51.100.7 is over \"client\" (3/h recipients)"));
    EXPECT_EQ(delivery.decisive().code, 250);
    EXPECT_EQ(client_->deliver({}).mail.code, 451) << "without a recipient left, MAIL is the place to say so";
}

TEST_F(Counting, ProbesAndRefusedMailCostNothing) {
    start("limits: [{name: client, per: client, messages: 1/h, recipients: 1/h}]");
    for (int i = 0; i < 5; ++i) {
        client_->command("MAIL FROM:<a@customer.example>");
        EXPECT_EQ(client_->command("RCPT TO:<b@example.net>").code, 250);
        EXPECT_EQ(client_->command("RSET").code, 250);
    }
    relay_.on(Stage::mail, reply("451 4.3.0 later"));
    for (int i = 0; i < 5; ++i) EXPECT_THAT(client_->deliver({}).decisive().text, HasSubstr("later"));
    relay_.forget_rules();
    relay_.on(Stage::rcpt, reply("550 5.1.1 unknown"));
    for (int i = 0; i < 5; ++i) EXPECT_THAT(client_->deliver({}).decisive().text, HasSubstr("unknown"));
    relay_.forget_rules();
    client_->command("RSET");
    EXPECT_EQ(client_->deliver({}).decisive().code, 250);
    EXPECT_EQ(client_->deliver({}).decisive().code, 451);
}

TEST_F(Counting, AMessageThatPostfixHasSplitIsOneMessage) {
    start("limits: [{name: client, per: client, messages: 1/h}]");
    Message part;
    part.recipients.clear();
    for (int i = 0; i < 50; ++i) part.recipients.push_back("r" + std::to_string(i) + "@example.net");
    for (int i = 0; i < 3; ++i) EXPECT_EQ(client_->deliver(part).decisive().code, 250) << i;
    Message other = part;
    other.origin = Forwarded::remote("198.51.100.7", "4jYR2m5dFHz1cY4H");
    EXPECT_EQ(client_->deliver(other).decisive().code, 451);
}

TEST_F(Counting, BytesAreChargedAsTheyComeWhenNobodyDeclaredThem) {
    start("limits: [{name: client, per: client, bytes: 100k/h}]");
    Message large;
    large.body.append(200'000, 'x').append("\r\n");
    const Delivery delivery = client_->deliver(large);
    EXPECT_THAT(delivery.decisive().summary(), StartsWith("451 4.7.1 weir: client 198.51.100.7 is over \"client\""));
    EXPECT_TRUE(relay_.accepted().empty());
}

TEST_F(Counting, ObserveModeHoldsNothing) {
    start("mode: observe\nlimits: [{name: client, per: client, messages: 1/h}]");
    for (int i = 0; i < 5; ++i) EXPECT_EQ(client_->deliver({}).decisive().code, 250);
    weir_->wait_for_log("observe: would hold");
}

TEST_F(Counting, BouncesAreChargedToNobody) {
    start("limits: [{name: client, per: client, messages: 1/h}]");
    EXPECT_EQ(client_->deliver({}).decisive().code, 250);
    Message bounce;
    bounce.origin = Forwarded::local();
    bounce.sender = "";
    EXPECT_EQ(client_->deliver(bounce).decisive().code, 250);
    Message local;
    local.origin = Forwarded::local();
    EXPECT_EQ(client_->deliver(local).decisive().code, 250) << "a bounce has used up the local user's budget";
}

TEST_F(Counting, TheContractBindsEverybodyTogether) {
    relay_.add_rule([](const FakeUpstream::Step&) { return std::nullopt; });
    weir_ = std::make_unique<WeirProcess>(R"(
listen: ["{{listen}}"]
upstream:
  relays: ["{{relay}}"]
  contract: {messages: 3/h, recipients_per_message: 2}
limits: []
admin: {listen: "{{admin}}"}
)",
                                          WeirProcess::Words{{"relay", relay_.address()}});
    SmtpClient client(weir_->port("listen"));
    client.greet();
    for (int i = 0; i < 3; ++i) {
        Message message;
        message.origin = Forwarded::remote("192.0.2." + std::to_string(i));
        EXPECT_EQ(client.deliver(message).decisive().code, 250);
    }
    Message fourth;
    fourth.origin = Forwarded::remote("192.0.2.77");
    EXPECT_THAT(client.deliver(fourth).decisive().text, HasSubstr("is over \"contract\" (3/h messages)"));
    EXPECT_EQ(weir_->metric("weir_budget_remaining", {{"limit", "contract"}}), 0);
}

TEST_F(Counting, RecipientsPerMessageAreCappedWith452) {
    weir_ = std::make_unique<WeirProcess>(R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"], contract: {recipients_per_message: 2}}
limits: []
)",
                                          WeirProcess::Words{{"relay", relay_.address()}});
    SmtpClient client(weir_->port("listen"));
    client.greet();
    Message message;
    message.recipients = {"a@example.net", "b@example.net", "c@example.net"};
    const Delivery delivery = client.deliver(message);
    EXPECT_EQ(delivery.recipients.back().code, 452);
    EXPECT_EQ(delivery.decisive().code, 250);
}

}  // namespace
}  // namespace weir::test
