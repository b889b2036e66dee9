// Pipelining as far as it goes and further: each command has its own reply, in order, and what comes behind a refusal
// is not obeyed as if it had not happened.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"]}
limits: []
admin: {listen: "{{admin}}"}
)";

class Pipelining : public testing::Test {
protected:
    /// As many replies as there are to come, by their codes.
    static std::vector<int> codes(SmtpClient& client, std::size_t count) {
        std::vector<int> heard;
        for (std::size_t i = 0; i < count; ++i) heard.push_back(client.read_reply().code);
        return heard;
    }

    FakeUpstream relay_;
    WeirProcess weir_{configuration, {{"relay", relay_.address()}}};
    SmtpClient client_{weir_.port("listen")};
};

TEST_F(Pipelining, PastARefusedSenderSendsNobodyAnything) {
    client_.greet();
    relay_.on(Stage::mail, reply("451 4.7.1 not now"));
    client_.send("MAIL FROM:<a@customer.example>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\nDATA\r\n");
    for (const int code : codes(client_, 4)) EXPECT_GE(code, 400);
    EXPECT_EQ(client_.command("RSET").code, 250);
    EXPECT_EQ(relay_.data_without_recipient(), 0U);
    EXPECT_THAT(relay_.commands(), Not(testing::Contains("DATA")));
}

TEST_F(Pipelining, ABodyBehindARefusedDataIsNotObeyed) {
    client_.greet();
    relay_.on(Stage::rcpt, reply("550 5.1.1 unknown"));
    client_.send(
        "MAIL FROM:<a@customer.example>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"
        "Subject: x\r\n\r\nMAIL FROM:<smuggled@evil.example>\r\nRCPT TO:<v@example.net>\r\nDATA\r\n.\r\nQUIT\r\n");
    EXPECT_THAT(codes(client_, 3), ElementsAre(250, 550, 554));
    client_.expect_close();
    EXPECT_THAT(relay_.commands(), Not(testing::Contains(HasSubstr("smuggled"))));
}

TEST_F(Pipelining, ABodyThatDoesNotWaitForItsGoAheadIsTheBody) {
    client_.greet();
    client_.send("MAIL FROM:<a@customer.example>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nHello.\r\n.\r\nQUIT\r\n");
    EXPECT_THAT(codes(client_, 5), ElementsAre(250, 250, 354, 250, 221));
    client_.expect_close();
    EXPECT_EQ(relay_.accepted().at(0).body, "Hello.\r\n");
}

TEST_F(Pipelining, BeforeTheGreetingIsServedInOrder) {
    client_.send("EHLO a.example\r\nMAIL FROM:<a@customer.example>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
    EXPECT_THAT(codes(client_, 5), ElementsAre(220, 250, 250, 250, 354));
}

TEST_F(Pipelining, AThousandRecipientsAtOnceDoNotDeadlock) {
    client_.greet();
    std::string group = "MAIL FROM:<a@customer.example>\r\n";
    for (int i = 0; i < 1000; ++i)
        group += "RCPT TO:<recipient-with-a-long-name-" + std::to_string(i) + "@example.net>\r\n";
    client_.send(group + "RCPT TO:<one-too-many@example.net>\r\nDATA\r\n");
    auto heard = codes(client_, 1003);
    EXPECT_EQ(std::count(heard.begin(), heard.end(), 250), 1001);
    EXPECT_EQ(heard[1001], 452);
    EXPECT_EQ(heard[1002], 354);
    client_.send("Hello.\r\n.\r\n");
    client_.expect(250);
    EXPECT_EQ(relay_.accepted().at(0).recipients.size(), 1000U);
}

TEST_F(Pipelining, KeepsTheOrderOfMixedVerdictsWithQuitBehindTheDot) {
    client_.greet();
    relay_.add_rule([](const FakeUpstream::Step& step) -> std::optional<Reaction> {
        if (step.stage != Stage::rcpt) return std::nullopt;
        return reply(std::string(step.line.substr(9, 3)) + " 5.0.0 as you wish");
    });
    client_.send("MAIL FROM:<a@customer.example>\r\n");
    client_.expect(250);
    std::string group;
    std::vector<int> expected;
    for (const char* code : {"452", "250", "451", "550", "250", "450", "554", "250"}) {
        group += "RCPT TO:<" + std::string(code) + "@example.net>\r\n";
        expected.push_back(std::stoi(code));
    }
    client_.send(group + "DATA\r\n");
    expected.push_back(354);
    EXPECT_EQ(codes(client_, expected.size()), expected);
    client_.send("Hello.\r\n.\r\nQUIT\r\n");
    EXPECT_THAT(codes(client_, 2), ElementsAre(250, 221));
    client_.expect_close();
    EXPECT_EQ(relay_.accepted().at(0).recipients.size(), 3U);
}

TEST_F(Pipelining, IsSerialisedForARelayThatKnowsNone) {
    relay_.announce({"SIZE"});
    weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
    relay_.close_all();
    client_.greet();
    Message message;
    for (int i = 0; i < 20; ++i) message.recipients.push_back("r" + std::to_string(i) + "@example.net");
    EXPECT_EQ(client_.deliver(message).decisive().code, 250);
    EXPECT_EQ(relay_.accepted().at(0).recipients.size(), message.recipients.size());
}

TEST_F(Pipelining, BdatWhichIsNotOfferedEndsTheSession) {
    client_.greet();
    client_.send(
        "MAIL FROM:<a@customer.example>\r\nRCPT TO:<b@example.net>\r\nBDAT 33 LAST\r\nMAIL "
        "FROM:<smuggled@evil.example>\r\n");
    EXPECT_THAT(codes(client_, 3), ElementsAre(250, 250, 502));
    client_.expect_close();
    EXPECT_THAT(relay_.commands(), Not(testing::Contains(HasSubstr("smuggled"))));
}

TEST_F(Pipelining, OtherProtocolsEndTheSession) {
    for (const std::string bytes : {"GET / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<smuggled@evil.example>\r\n",
                                    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nMAIL FROM:<smuggled@evil.example>\r\n",
                                    "\x16\x03\x01\x02\r\nMAIL FROM:<smuggled@evil.example>\r\n"}) {
        SmtpClient client(weir_.port("listen"));
        client.send(bytes);
        EXPECT_THAT(codes(client, 2), ElementsAre(220, 554));
        client.expect_close();
    }
    EXPECT_THAT(relay_.commands(), Not(testing::Contains(HasSubstr("smuggled"))));
}

// The relay puts into each reply what it answers: whatever is sent, each command hears its own.
TEST_F(Pipelining, NeverAnswersOneCommandWithTheReplyToAnother) {
    std::minstd_rand random(20'251'125);  // the same sequences each time
    const auto one_of = [&](unsigned count) { return static_cast<unsigned>(random() % count); };
    relay_.add_rule([](const FakeUpstream::Step& step) -> std::optional<Reaction> {
        if (step.stage != Stage::rcpt && step.stage != Stage::mail) return std::nullopt;
        const auto begin = step.line.find('<') + 1;
        const std::string address(step.line.substr(begin, step.line.find('>') - begin));
        const char* code = address.find("no") == 0 ? "550" : address.find("later") == 0 ? "450" : "250";
        return reply(std::string(code) + " 2.0.0 to " + address);
    });
    client_.greet();
    for (int round = 0; round < 2'000; ++round) {
        std::vector<std::string> tags;  // what the reply must hold; empty: nothing in particular
        std::string group;
        const auto add = [&](const std::string& line, const std::string& tag) {
            group += line + "\r\n";
            tags.push_back(tag);
        };
        const std::string id = std::to_string(round);
        const char* const moods[] = {"yes", "no", "later"};
        const std::string sender = std::string(moods[one_of(8) < 6 ? 0 : 1 + one_of(2)]) + id + "@customer.example";
        if (one_of(4) == 0) add("NOOP", "OK");
        add("MAIL FROM:<" + sender + ">", sender);
        const unsigned recipients = one_of(5);
        for (unsigned i = 0; i < recipients; ++i) {
            const std::string recipient = std::string(moods[one_of(3)]) + id + "-" + std::to_string(i) + "@example.net";
            // With its sender refused a recipient is refused as well, in whosever words.
            add("RCPT TO:<" + recipient + ">", sender.starts_with("yes") ? recipient : "");
            if (one_of(10) == 0) add("NONSENSE", "not recognised");
            if (one_of(10) == 0) add("XFORWARD ADDR=192.0.2.1", "");
        }
        add("RSET", "OK");
        if (one_of(2) == 0) {
            client_.send(group);
        } else {
            const auto cut = one_of(static_cast<unsigned>(group.size()));
            client_.send(std::string_view(group).substr(0, cut));
            client_.send(std::string_view(group).substr(cut));
        }
        for (const std::string& tag : tags) EXPECT_THAT(client_.read_reply().text, HasSubstr(tag)) << group;
        if (round % 16 == 0) {
            Message message;
            message.sender = "yes" + id + "@customer.example";
            ASSERT_EQ(client_.deliver(message).decisive().code, 250);  // forgives the errors
        }
        if (testing::Test::HasFailure()) return;
    }
}

}  // namespace
}  // namespace weir::test
