// An admitted message reaches the relay as Postfix sent it: every byte of the body, and the envelope as it was.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::ElementsAre;
using testing::Not;
using testing::StartsWith;

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"]}
limits: []
admin: {listen: "{{admin}}"}
)";

class PassThrough : public testing::Test {
protected:
    FakeUpstream relay_;
    WeirProcess weir_{configuration, {{"relay", relay_.address()}}};
    SmtpClient client_{weir_.port("listen")};
};

TEST_F(PassThrough, KeepsEnvelopeAndBody) {
    client_.greet();
    Message message;
    message.sender = "news@customer.example";
    message.recipients = {"b@example.net", "C.D@example.net"};
    message.body = "Subject: all sorts\r\n\r\n..\r\n..two dots\r\n\tTab, \xc3\xbc and \xff\x80.\r\n\r\n";

    EXPECT_EQ(client_.deliver(message).decisive().summary(), "250 2.0.0 Ok: queued");
    client_.quit();

    const auto reached = relay_.wait_for_accepted(1);
    ASSERT_EQ(reached.size(), 1U);
    EXPECT_EQ(reached[0].sender(), message.sender);
    EXPECT_THAT(reached[0].recipients, ElementsAre("TO:<b@example.net>", "TO:<C.D@example.net>"));
    EXPECT_EQ(reached[0].body, message.body);
}

TEST_F(PassThrough, KeepsEveryByteOfALargeBody) {
    client_.greet();
    Message message;
    for (int line = 0; line < 40'000; ++line) {
        if (line % 7 == 0) message.body += "..";
        message.body += "line " + std::to_string(line) + std::string(static_cast<std::size_t>(line % 90), 'x') + "\r\n";
    }
    EXPECT_EQ(client_.deliver(message).decisive().code, 250);
    EXPECT_TRUE(relay_.wait_for_accepted(1)[0].body == message.body);  // EXPECT_EQ would print megabytes
}

TEST_F(PassThrough, KeepsWhatTheRelaySaysAboutTheBody) {
    client_.greet();
    relay_.once(Stage::dot, reply("554 5.7.1 Message content rejected, id=42"));
    EXPECT_EQ(client_.deliver(Message()).decisive().summary(), "554 5.7.1 Message content rejected, id=42");
    EXPECT_EQ(client_.deliver(Message()).decisive().code, 250);
}

TEST_F(PassThrough, TellsTheRelayNothingOfTheOrigin) {
    client_.greet();
    client_.deliver(Message());
    EXPECT_THAT(relay_.commands(), testing::Each(Not(StartsWith("XFORWARD"))));
}

TEST_F(PassThrough, CountsWhatItRelayed) {
    client_.greet();
    for (int i = 0; i < 3; ++i) client_.deliver(Message());
    weir_.wait_for_metric("weir_transactions_total", {{"outcome", "relayed"}}, 3);
    EXPECT_EQ(weir_.metric("weir_transactions_total"), 3);
}

}  // namespace
}  // namespace weir::test
