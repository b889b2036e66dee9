// What a stranger may put into addresses, parameters and names, and a relay into its replies: one command never becomes
// two at the relay, one reply never two at Postfix, and one line of the log never two.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <sstream>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using namespace std::string_literals;

constexpr auto configuration = R"(
listen: ["{{listen}}"]
trusted_clients: [127.0.0.1]
upstream: {relays: ["{{relay}}"]}
limits: []
admin: {listen: "{{admin}}"}
log: {format: json}
)";

class Injection : public testing::Test {
protected:
    void SetUp() override {
        weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
        client_.greet();
    }

    FakeUpstream relay_;
    WeirProcess weir_{configuration, {{"relay", relay_.address()}}};
    SmtpClient client_{weir_.port("listen")};
};

/// A command with `@` where something evil goes in, and the commands before it.
struct Target {
    const char* name;
    const char* command;
    bool in_transaction = false;
};

constexpr std::array targets{
    Target{"MailPath", "MAIL FROM:<a@@customer.example>"},
    Target{"MailPathEnd", "MAIL FROM:<a@customer.example@>"},
    Target{"MailParameter", "MAIL FROM:<a@customer.example> SIZE=1@"},
    Target{"MailEnvid", "MAIL FROM:<a@customer.example> ENVID=x@y"},
    Target{"MailKeyword", "MAIL FROM:<a@customer.example> @SIZE=1"},
    Target{"MailRet", "MAIL FROM:<a@customer.example> RET=FULL@"},
    Target{"RcptPath", "RCPT TO:<b@@example.net>", true},
    Target{"RcptOrcpt", "RCPT TO:<b@example.net> ORCPT=rfc822;x@y", true},
    Target{"RcptNotify", "RCPT TO:<b@example.net> NOTIFY=NEVER@", true},
    Target{"EhloName", "EHLO name@name"},
    Target{"HeloName", "HELO name@name"},
    Target{"XforwardHelo", "XFORWARD HELO=x@y"},
    Target{"XforwardIdent", "XFORWARD IDENT=x@y"},
    Target{"Verb", "NO@OP"},
    Target{"DataArgument", "DATA @", true},
};

struct Evil {
    const char* name;
    std::string bytes;
};

const std::vector<Evil> evils = {
    {"BareCr", "\rRCPT TO:<evil@example.net>"}, {"BareLf", "\nRCPT TO:<evil@example.net>"},
    {"Nul", "\0RCPT TO:<evil@example.net>"s},   {"CrCrNul", "\r\r\0"s},
    {"LfCr", "\n\rRCPT TO:<evil@example.net>"}, {"TwoCommands", "\nMAIL FROM:<evil@evil.example>\nDATA"},
};

class EachParameter : public Injection, public testing::WithParamInterface<Target> {};

TEST_P(EachParameter, WithALineEndInItReachesTheRelayNotAtAll) {
    const Target& target = GetParam();
    for (const Evil& evil : evils) {
        if (target.in_transaction) {
            EXPECT_EQ(client_.command("MAIL FROM:<a@customer.example>").code, 250);
            EXPECT_EQ(client_.command("RCPT TO:<b@example.net>").code, 250);
        }
        std::string command = target.command;
        // The last at-sign is the place, but for addresses, where it is the last but one of a pair.
        const auto pair = command.find("@@");
        const auto place = pair != std::string::npos ? pair : command.rfind('@');
        command.replace(place, 1, evil.bytes);
        client_.send(command + "\r\n");
        EXPECT_THAT(client_.read_reply().code, testing::AnyOf(500, 501, 550, 553, 555)) << evil.name;
        EXPECT_EQ(client_.command("RSET").code, 250) << evil.name;
    }
    for (const std::string& line : relay_.commands()) {
        EXPECT_THAT(line, Not(HasSubstr("evil")));
        EXPECT_EQ(line.find_first_of("\r\n\0"s), std::string::npos) << line;
    }
    EXPECT_EQ(client_.deliver({}).decisive().code, 250);
}

INSTANTIATE_TEST_SUITE_P(EachTarget, EachParameter, testing::ValuesIn(targets),
                         [](const auto& test) { return test.param.name; });

TEST_F(Injection, ParametersThatMakeNoSenseAreRefused) {
    for (const auto* line :
         {"MAIL FROM:<a@customer.example> SIZE=99999999999999999999", "MAIL FROM:<a@customer.example> SIZE=-1",
          "MAIL FROM:<a@customer.example> SIZE=1 SIZE=2", "MAIL FROM:<a@customer.example> AUTH=<>+0D+0A",
          "MAIL FROM:<a@customer.example> ENVID=x+G1", "MAIL FROM:<a@customer.example> ENVID=+",
          "MAIL FROM:<a@customer.example> FUTURE=1", "MAIL FROM:<\xff@customer.example> SMTPUTF8",
          "MAIL FROM:<\xc3\xa4@customer.example>", "MAIL FROM:<a@customer.example>x", "MAIL FROM:<<a@b>>"}) {
        EXPECT_THAT(client_.command(line).code, testing::AnyOf(501, 553, 555)) << line;
        EXPECT_EQ(client_.command("RSET").code, 250);
    }
    EXPECT_THAT(relay_.commands(), Not(testing::Contains(StartsWith("MAIL"))));
}

TEST_F(Injection, LineEndsInXtextAreRefusedAndOtherXtextIsPassedOnAsItIs) {
    EXPECT_EQ(client_.command("MAIL FROM:<a@customer.example> ENVID=x+0D+0ARCPT").code, 501);
    EXPECT_EQ(client_.command("MAIL FROM:<a@customer.example> ENVID=x+2B+3Dy").code, 250);
    EXPECT_EQ(client_.command("RCPT TO:<b@example.net> ORCPT=rfc822;b+0D+0Aevil").code, 501);
    EXPECT_EQ(client_.command("RCPT TO:<b@example.net> ORCPT=rfc822;b+2B@example.net").code, 250);
    EXPECT_THAT(relay_.commands(), testing::IsSupersetOf({"MAIL FROM:<a@customer.example> ENVID=x+2B+3Dy",
                                                          "RCPT TO:<b@example.net> ORCPT=rfc822;b+2B@example.net"}));
}

TEST_F(Injection, WhatXforwardDecodesToNeverLeavesItsPlaceInTheLog) {
    EXPECT_EQ(client_.command("XFORWARD IDENT=Q+0D+0A+7B+22level+22:+22error+22+7D ADDR=198.51.100.7").code, 250);
    client_.send("MAIL FROM:<a@customer.example>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
    for (const int code : {250, 250, 354}) client_.expect(code);
    client_.send(".\r\n");
    client_.expect(250);
    weir_.wait_for_log("198.51.100.7");
    std::istringstream lines(weir_.log());
    for (std::string line; std::getline(lines, line);) EXPECT_TRUE(boost::json::parse(line).is_object()) << line;
}

struct Words {
    const char* name;
    std::string attribute;
    int code;
};

TEST_F(Injection, XforwardTakesWhatItUnderstandsAndNothingElse) {
    const std::vector<Words> cases = {{"Ipv6", "ADDR=IPV6:2001:db8::1", 250},
                                      {"Ipv6LowerCase", "addr=ipv6:2001:db8::1", 250},
                                      {"Unavailable", "ADDR=[UNAVAILABLE]", 250},
                                      {"Tempunavail", "NAME=[TEMPUNAVAIL]", 250},
                                      {"NoAddress", "ADDR=nonsense", 501},
                                      {"HalfXtext", "HELO=x+G1", 250},  // a stranger's word must cost nothing
                                      {"LonePlus", "HELO=+", 250},
                                      {"NoValue", "HELO", 501},
                                      {"LongHelo", "HELO=" + std::string(2000, 'x'), 250}};
    for (const Words& words : cases) {
        EXPECT_EQ(client_.command("XFORWARD " + words.attribute).code, words.code) << words.name;
    }
    EXPECT_EQ(client_.command("MAIL FROM:<a@customer.example>").code, 250);
    EXPECT_EQ(client_.command("XFORWARD ADDR=192.0.2.1").code, 503) << "in a transaction";
    EXPECT_EQ(client_.command("RSET").code, 250);
    EXPECT_EQ(client_.command("XCLIENT ADDR=192.0.2.1").code, 500);
    EXPECT_THAT(relay_.commands(), Not(testing::Contains(testing::ContainsRegex("XFORWARD|XCLIENT"))));
}

TEST_F(Injection, XforwardIsOverWithItsMessage) {
    Message message;
    message.origin = Forwarded::remote("203.0.113.9", "FIRST");
    EXPECT_EQ(client_.deliver(message).decisive().code, 250);
    message.origin = {};
    EXPECT_EQ(client_.deliver(message).decisive().code, 250);
    weir_.wait_for_log("\"client\":\"127.0.0.1\"");
}

TEST_F(Injection, StrangersAreHeardNotAtAll) {
    for (const auto* source : {"127.0.0.2", "127.0.0.77"}) {
        SmtpClient stranger(weir_.port("listen"), source);
        const Heard heard = stranger.read_reply();
        EXPECT_THAT(heard.summary(), StartsWith("554 5.7.1"));
        EXPECT_THAT(heard.text, Not(HasSubstr("XFORWARD")));
        stranger.expect_close();
    }
    EXPECT_EQ(relay_.connections(), 1U) << "the one that was made at the start";
}

TEST_F(Injection, RepliesOfTheRelayArriveAsOneWellFormedReply) {
    const std::vector<std::string> texts = {
        "\x1b[31mred\x1b[0m",   "bell\x07", "8-bit \xff\xfe", "\"}{\"level\":\"error\"",
        std::string(1900, 'x'), "",         "tab\there",      "del\x7f"};
    for (const std::string& text : texts) {
        relay_.once(Stage::dot, reply("554 5.7.1 " + text));
        const Heard heard = client_.deliver({}).decisive();  // throws for what is no reply
        EXPECT_EQ(heard.code, 554);
        EXPECT_EQ(heard.text.find_first_of("\x1b\x07\x7f"s), std::string::npos);
        EXPECT_EQ(client_.command("NOOP").code, 250);
    }
    for (const auto* text : {"550-one\r\n550-\r\n550 three", "550", "550-\r\n550 "}) {
        relay_.once(Stage::dot, reply(text));
        EXPECT_EQ(client_.deliver({}).decisive().code, 550) << text;
        EXPECT_EQ(client_.command("NOOP").code, 250);
    }
    weir_.wait_for_metric("weir_transactions_total", {{"outcome", "relay_reject"}}, 11);
    std::istringstream lines(weir_.log());
    for (std::string line; std::getline(lines, line);) EXPECT_TRUE(boost::json::parse(line).is_object()) << line;
}

}  // namespace
}  // namespace weir::test
