// Postfix writes XFORWARD, XFORWARD, MAIL, RCPT..., DATA in one segment; every command gets its own reply, in order.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::ElementsAre;

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"]}
limits: []
)";

constexpr auto group =
    "XFORWARD NAME=client.example ADDR=198.51.100.7 PORT=4711\r\n"
    "XFORWARD PROTO=ESMTP HELO=client.example IDENT=4jYR2m5dFHz1cY4G SOURCE=REMOTE\r\n"
    "MAIL FROM:<a@customer.example> SIZE=315\r\n"
    "RCPT TO:<b@example.net> ORCPT=rfc822;b@example.net\r\n"
    "RCPT TO:<c@example.net>\r\n"
    "RCPT TO:<d@example.net>\r\n"
    "DATA\r\n";

class PipelinedGroup : public testing::Test {
protected:
    std::vector<int> codes(std::size_t count) {
        std::vector<int> heard;
        while (heard.size() < count) heard.push_back(client_.read_reply().code);
        return heard;
    }

    FakeUpstream relay_;
    WeirProcess weir_{configuration, {{"relay", relay_.address()}}};
    SmtpClient client_{weir_.port("listen")};
};

TEST_F(PipelinedGroup, IsAnsweredCommandByCommand) {
    client_.greet();
    for (int message = 0; message < 2; ++message) {
        client_.send(group);
        EXPECT_THAT(codes(7), ElementsAre(250, 250, 250, 250, 250, 250, 354));
        client_.send("Hello.\r\n.\r\n");
        client_.expect(250);
    }
    EXPECT_EQ(relay_.wait_for_accepted(2)[1].recipients.size(), 3U);
}

TEST_F(PipelinedGroup, IsAnsweredCommandByCommandHoweverItIsCut) {
    client_.greet();
    for (const char byte : std::string_view(group)) client_.send({&byte, 1});
    EXPECT_THAT(codes(7), ElementsAre(250, 250, 250, 250, 250, 250, 354));
}

TEST_F(PipelinedGroup, KeepsEachRecipientsOwnVerdict) {
    relay_.add_rule([](const FakeUpstream::Step& step) -> std::optional<Reaction> {
        if (step.line.starts_with("RCPT TO:<c@")) return reply("550 5.1.1 No such user");
        return std::nullopt;
    });
    client_.greet();
    client_.send(group);
    EXPECT_THAT(codes(7), ElementsAre(250, 250, 250, 250, 550, 250, 354));
    client_.send("Hello.\r\n.\r\n");
    client_.expect(250);
    EXPECT_THAT(relay_.wait_for_accepted(1)[0].recipients,
                ElementsAre(testing::StartsWith("TO:<b@example.net>"), "TO:<d@example.net>"));
}

TEST_F(PipelinedGroup, IsRefusedCommandByCommandWhenTheRelayRefusesMail) {
    relay_.once(Stage::mail, reply("451 4.3.0 Try again later"));
    client_.greet();
    client_.send(group);
    const auto heard = codes(7);
    EXPECT_THAT(heard,
                ElementsAre(250, 250, 451, testing::Ge(400), testing::Ge(400), testing::Ge(400), testing::Ge(400)));
    EXPECT_THAT(relay_.transactions(), testing::IsEmpty());

    client_.command("RSET");
    client_.send(group);
    EXPECT_THAT(codes(7), ElementsAre(250, 250, 250, 250, 250, 250, 354));
}

// Postfix's patience is per reply: what has been answered must not wait for the slowest of the group.
TEST_F(PipelinedGroup, IsAnsweredAsTheRelayAnswersAndNotAllAtOnce) {
    relay_.add_rule([](const FakeUpstream::Step& step) -> std::optional<Reaction> {
        if (step.line.starts_with("RCPT TO:<c@")) return stall();
        return std::nullopt;
    });
    client_.greet();
    client_.send(group);
    EXPECT_THAT(codes(4), ElementsAre(250, 250, 250, 250)) << "while the relay thinks about the second recipient";
    relay_.wait_for_stalled(1);
    relay_.resume();
    EXPECT_THAT(codes(3), ElementsAre(250, 250, 354));
}

}  // namespace
}  // namespace weir::test
