// Whatever the relay does, Postfix hears one safe reply per command on a session that stays open, and never a 250
// that is not the relay's own (promises 1 and 4).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"]}
limits: []
admin: {listen: "{{admin}}"}
)";

struct Fault {
    const char* name;
    Stage stage;
    Reaction reaction;
    const char* heard;  ///< what the decisive reply begins with
    const char* says;   ///< what it also holds
};

void PrintTo(const Fault& fault, std::ostream* out) {
    *out << fault.name;
}

class RelayFault : public testing::TestWithParam<Fault> {
protected:
    /// The connection that was made to learn what the relay offers is back in the pool.
    void SetUp() override { weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1); }

    FakeUpstream relay_;
    WeirProcess weir_{configuration, {{"relay", relay_.address()}}};
};

TEST_P(RelayFault, BecomesOneSafeReplyAndTheSessionGoesOn) {
    const Fault& fault = GetParam();
    SmtpClient client(weir_.port("listen"));
    client.greet();
    // A connection that was used before may be replaced once: here the fault hits a fresh one, and every one.
    relay_.close_all();
    relay_.on(fault.stage, fault.reaction);
    const Delivery failed = client.deliver({});
    EXPECT_THAT(failed.decisive().summary(), StartsWith(fault.heard));
    EXPECT_THAT(failed.decisive().text, HasSubstr(fault.says));
    EXPECT_TRUE(relay_.accepted().empty() || fault.stage == Stage::dot);

    relay_.forget_rules();
    Delivery healthy = client.deliver({});
    for (int i = 0; i < 40 && healthy.decisive().code != 250; ++i) {
        // A relay that could not be reached is left alone for a second.
        EXPECT_EQ(healthy.decisive().code, 451);
        healthy = client.deliver({});
        std::this_thread::sleep_for(
            std::chrono::milliseconds(100));  // the clock of the real binary is being waited for
    }
    EXPECT_EQ(healthy.decisive().code, 250) << healthy.decisive().summary();
    client.quit();
}

INSTANTIATE_TEST_SUITE_P(
    EachStage, RelayFault,
    testing::Values(Fault{"GreetingRefused", Stage::greeting, reply("421 4.7.0 go away"), "451", "go away"},
                    Fault{"GreetingRefusedForGood", Stage::greeting, reply("554 5.7.1 blocked"), "451", "blocked"},
                    Fault{"GreetingDropped", Stage::greeting, drop(), "451", "4.4.1"},
                    Fault{"GreetingReset", Stage::greeting, reset(), "451", "4.4.1"},
                    Fault{"GreetingGarbage", Stage::greeting, reply("hello there"), "451", "4.4.1"},
                    Fault{"EhloTempfail", Stage::ehlo, reply("451 4.3.0 later"), "451", "later"},
                    Fault{"EhloDropped", Stage::ehlo, drop(), "451", "4.4.1"},
                    Fault{"MailTempfail", Stage::mail, reply("450 4.7.1 slow down"), "450", "slow down"},
                    Fault{"MailRefused", Stage::mail, reply("550 5.1.8 bad sender"), "550", "bad sender"},
                    Fault{"Mail421", Stage::mail, reply_and_close("421 4.7.0 too fast"), "451", "too fast"},
                    Fault{"MailDropped", Stage::mail, drop(), "451", "4.4.2"},
                    Fault{"MailReset", Stage::mail, reset(), "451", "4.4.2"},
                    Fault{"MailGarbage", Stage::mail, reply("what?"), "451", "4.4.2"},
                    Fault{"Mail354", Stage::mail, reply("354 go ahead"), "451", "4.5.0"},
                    Fault{"RcptTempfail", Stage::rcpt, reply("452 4.2.2 full"), "452", "full"},
                    Fault{"RcptRefused", Stage::rcpt, reply("550 5.1.1 unknown"), "550", "unknown"},
                    Fault{"Rcpt421", Stage::rcpt, reply_and_close("421 4.3.2 closing"), "451", "closing"},
                    Fault{"RcptDropped", Stage::rcpt, drop(), "451", "4.4.2"},
                    Fault{"RcptBareLineFeed", Stage::rcpt, Reaction{.say = "250 ok\n250 more\r\n"}, "451", "4.4.2"},
                    Fault{"DataTempfail", Stage::data, reply("451 4.3.0 disk"), "451", "disk"},
                    Fault{"DataRefused", Stage::data, reply("554 5.5.1 no"), "554", "no"},
                    Fault{"Data250", Stage::data, reply("250 2.0.0 ok"), "451", "4.5.0"},
                    Fault{"DataDropped", Stage::data, drop(), "451", "4.4.2"},
                    Fault{"DotTempfail", Stage::dot, reply("451 4.3.0 try again"), "451", "try again"},
                    Fault{"DotRefused", Stage::dot, reply("554 5.7.1 spam"), "554", "spam"},
                    Fault{"Dot421", Stage::dot, reply_and_close("421 4.7.28 unusual rate"), "451", "unusual rate"},
                    Fault{"Dot354", Stage::dot, reply("354 again"), "451", "4.5.0"},
                    Fault{"DotDropped", Stage::dot, drop(), "451", "delivery unknown"},
                    Fault{"DotReset", Stage::dot, reset(), "451", "delivery unknown"},
                    Fault{"DotHalfReply", Stage::dot, Reaction{.say = "250 2.0", .then = Reaction::Then::close}, "451",
                          "delivery unknown"}),
    [](const auto& test) { return test.param.name; });

class RelayFaults : public testing::Test {
protected:
    void SetUp() override { weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1); }

    FakeUpstream relay_;
    WeirProcess weir_{configuration, {{"relay", relay_.address()}}};
    SmtpClient client_{weir_.port("listen")};
};

TEST_F(RelayFaults, DotWithoutAnAnswerIsCountedAsUnknown) {
    client_.greet();
    relay_.once(Stage::dot, drop());
    client_.deliver({});
    weir_.wait_for_metric("weir_outcome_unknown_total", {}, 1);
    weir_.wait_for_metric("weir_transactions_total", {{"outcome", "relay_tempfail"}}, 1);
}

TEST_F(RelayFaults, LossInMidBodyIsDrainedToTheDot) {
    client_.greet();
    relay_.once(Stage::body, reset());
    Message message;
    for (int i = 0; i < 100'000; ++i) message.body += "a line of text that fills the buffers between us\r\n";
    const Delivery delivery = client_.deliver(message);
    EXPECT_THAT(delivery.decisive().summary(), StartsWith("451 4.4.2"));
    EXPECT_EQ(client_.deliver({}).decisive().code, 250);
    EXPECT_EQ(relay_.wait_for_accepted(1).size(), 1U);
}

TEST_F(RelayFaults, GreetingAndEhloDoNotNeedARelay) {
    relay_.stop_listening();
    relay_.close_all();
    SmtpClient other(weir_.port("listen"));
    EXPECT_FALSE(other.greet().empty());
    const Delivery delivery = other.deliver({});
    EXPECT_THAT(delivery.decisive().summary(), StartsWith("451 4.4.1 weir: relay unreachable"));
    weir_.wait_for_metric("weir_held_total", {{"reason", "relay_unreachable"}}, 1);
    other.quit();
}

TEST_F(RelayFaults, RefusedRecipientsLeaveTheOthersAlone) {
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

TEST_F(RelayFaults, DataIsNeverSentWithoutARecipient) {
    client_.greet();
    relay_.on(Stage::rcpt, reply("550 5.1.1 unknown"));
    EXPECT_GE(client_.deliver({}).data.code, 500);
    EXPECT_THAT(relay_.commands(), testing::Not(testing::Contains("DATA")));
}

TEST_F(RelayFaults, RelayWithoutPipeliningOrEhloIsServedLineByLine) {
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

}  // namespace
}  // namespace weir::test
