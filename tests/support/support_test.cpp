// The tools are tested on each other: a relay that does not misbehave when told to proves nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/fake_upstream.hpp"
#include "support/http.hpp"
#include "support/manual_clock.hpp"
#include "support/smtp_client.hpp"

namespace weir::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ManualClock, MovesBothTimesOnlyWhenTold) {
    ManualClock clock;
    const auto steady = clock.now();
    const auto wall = clock.wall();
    EXPECT_EQ(clock.now(), steady);
    clock.advance(std::chrono::seconds(90));
    EXPECT_EQ(clock.now() - steady, std::chrono::seconds(90));
    EXPECT_EQ(clock.wall() - wall, std::chrono::seconds(90));
}

TEST(ReservedPort, IsRefusedToClientsAndOpenToAListener) {
    const ReservedPort port;
    EXPECT_THROW((void)Socket::connect(port.number()), std::system_error);
    const Socket listener = port.listen();
    EXPECT_NO_THROW((void)Socket::connect(port.number()));
}

TEST(Socket, KnowsWhenThePeerHasReadEverything) {
    const ReservedPort port;
    const Socket listener = port.listen();
    Socket one = Socket::connect(port.number());
    Socket other = listener.accept().value();
    one.wait_until_read();
    one.write("abc");
    std::atomic<bool> has_read{false};
    std::thread reader([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // it is this wait that is waited for
        has_read = true;
        EXPECT_EQ(other.read_some(), "abc");
    });
    one.wait_until_read();
    EXPECT_TRUE(has_read);
    reader.join();
}

TEST(Xforward, IsTwoCommandsForARemoteClientAndOneForLocalMail) {
    EXPECT_THAT(xforward(Forwarded::remote("198.51.100.7", "ABC")),
                ElementsAre("XFORWARD NAME=client.example ADDR=198.51.100.7 PORT=4711",
                            "XFORWARD PROTO=ESMTP HELO=client.example IDENT=ABC SOURCE=REMOTE"));
    EXPECT_THAT(xforward(Forwarded::local()), ElementsAre("XFORWARD SOURCE=LOCAL"));
}

// A relay has no XFORWARD: messages for it come without.
Message plain(std::string body = "Subject: test\r\n\r\nHello.\r\n") {
    Message message;
    message.origin = {};
    message.body = std::move(body);
    return message;
}

TEST(FakeUpstream, AcceptsAndRecordsWhatItGets) {
    FakeUpstream relay;
    SmtpClient client(relay.port());
    EXPECT_THAT(client.greet(), testing::Contains("PIPELINING"));

    Message message = plain("a\r\n..\r\n.b.\r\n");
    message.sender = "";
    message.recipients = {"b@example.net", "c@example.net"};
    EXPECT_EQ(client.deliver(message).decisive().code, 250);
    client.quit();

    const auto transactions = relay.wait_for_accepted(1);
    EXPECT_EQ(transactions[0].mail, "FROM:<> SIZE=12");
    EXPECT_EQ(transactions[0].sender(), "");
    EXPECT_THAT(transactions[0].recipients, ElementsAre("TO:<b@example.net>", "TO:<c@example.net>"));
    EXPECT_EQ(transactions[0].body, message.body);
    EXPECT_LE(transactions[0].begun, transactions[0].ended);
    EXPECT_EQ(relay.commands().front(), "EHLO mail.customer.example");
}

TEST(FakeUpstream, FindsTheEndOfABodyWhateverPiecesItComesIn) {
    FakeUpstream relay;
    SmtpClient client(relay.port());
    client.greet();
    client.command("MAIL FROM:<>");
    client.command("RCPT TO:<b@example.net>");
    client.command("DATA");
    for (const char byte : std::string_view("x\r\n.\r\n")) client.send({&byte, 1});
    client.expect(250);
    EXPECT_EQ(relay.accepted().at(0).body, "x\r\n");
}

TEST(FakeUpstream, TakesAnEmptyBodyAndWhatIsPipelinedBehindIt) {
    FakeUpstream relay;
    SmtpClient client(relay.port());
    client.greet();
    client.send("MAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n.\r\nQUIT\r\n");
    for (const int code : {250, 250, 354, 250, 221}) client.expect(code);
    client.expect_close();
    EXPECT_EQ(relay.accepted().at(0).body, "");
}

TEST(FakeUpstream, SaysOnceWhatItWasToldToSayOnce) {
    FakeUpstream relay;
    relay.once(Stage::rcpt, reply("450 4.2.1 busy"));
    relay.on(Stage::dot, reply("550 5.7.1 no"));
    SmtpClient client(relay.port());
    client.greet();

    Message message = plain();
    message.recipients = {"b@example.net", "c@example.net"};
    const Delivery delivery = client.deliver(message);
    EXPECT_EQ(delivery.recipients[0].summary(), "450 4.2.1 busy");
    EXPECT_EQ(delivery.recipients[1].code, 250);
    EXPECT_EQ(delivery.decisive().summary(), "550 5.7.1 no");

    const auto transactions = relay.wait_for_transactions(1);
    EXPECT_FALSE(transactions[0].accepted());
    EXPECT_THAT(transactions[0].recipients, ElementsAre("TO:<c@example.net>"));
    EXPECT_THAT(relay.accepted(), testing::IsEmpty());
}

TEST(FakeUpstream, SaysAndCloses) {
    FakeUpstream relay;
    relay.once(Stage::mail, reply_and_close("421 4.7.0 too many"));
    SmtpClient client(relay.port());
    client.greet();
    EXPECT_EQ(client.command("MAIL FROM:<>").code, 421);
    client.expect_close();
    relay.wait_for_open_connections(0);
}

TEST(FakeUpstream, DropsAndResetsAsTold) {
    FakeUpstream relay;
    relay.once(Stage::greeting, drop());
    SmtpClient(relay.port()).expect_close();

    relay.once(Stage::body, reset());
    SmtpClient client(relay.port());
    client.greet();
    for (const auto* line : {"MAIL FROM:<>", "RCPT TO:<b@example.net>", "DATA"}) client.command(line);
    client.send("half a mes");
    EXPECT_THROW((void)client.read_reply(), Socket::ConnectionLost);
}

TEST(FakeUpstream, StallsUntilResumed) {
    FakeUpstream relay;
    relay.once(Stage::dot, stall(reply("451 4.3.0 later")));
    SmtpClient client(relay.port());
    client.greet();
    std::thread releaser([&] {
        relay.wait_for_stalled(1);
        relay.resume();
    });
    EXPECT_EQ(client.deliver(plain()).decisive().code, 451);
    releaser.join();
}

TEST(FakeUpstream, RulesSeeTheTransactionSoFar) {
    FakeUpstream relay;
    relay.add_rule([](const FakeUpstream::Step& step) -> std::optional<Reaction> {
        if (step.stage == Stage::rcpt && step.transaction.recipients.size() == 1) return reply("452 4.5.3 too many");
        return std::nullopt;
    });
    SmtpClient client(relay.port());
    client.greet();
    Message message = plain();
    message.recipients = {"b@example.net", "c@example.net"};
    EXPECT_EQ(client.deliver(message).recipients[1].code, 452);
}

TEST(FakeUpstream, RefusesConnectionsWhileItDoesNotListen) {
    FakeUpstream relay;
    SmtpClient early(relay.port());
    early.greet();
    relay.stop_listening();
    EXPECT_THROW(SmtpClient(relay.port()), std::system_error);
    EXPECT_EQ(early.command("NOOP").code, 502);
    relay.listen_again();
    SmtpClient(relay.port()).greet();
}

TEST(SmtpClient, ComplainsAboutAWrongReply) {
    FakeUpstream relay;
    relay.once(Stage::greeting, reply("554 no"));
    SmtpClient client(relay.port());
    EXPECT_THROW(client.greet(), TestFailure);
}

TEST(SmtpClient, ComplainsAboutSomethingThatIsNoReply) {
    FakeUpstream relay;
    relay.once(Stage::greeting, reply("hello"));
    SmtpClient client(relay.port());
    EXPECT_THROW(client.greet(), TestFailure);
}

TEST(SmtpClient, FollowsARefusalWithRset) {
    FakeUpstream relay;
    relay.once(Stage::mail, reply("451 4.7.1 held"));
    relay.once(Stage::data, reply("503 5.5.1 no"));
    SmtpClient client(relay.port());
    client.greet();
    EXPECT_EQ(client.deliver(plain()).decisive().summary(), "451 4.7.1 held");
    EXPECT_EQ(relay.commands().back(), "RSET");
    EXPECT_EQ(client.deliver(plain()).decisive().code, 250);
}

TEST(Http, ReadsStatusHeadersAndBody) {
    const ReservedPort port;
    const Socket listener = port.listen();
    std::string asked;
    std::thread server([&] {
        Socket peer = listener.accept().value();
        for (auto line = peer.read_line(); line && *line != "\r\n"; line = peer.read_line()) asked += *line;
        peer.write("HTTP/1.1 404 Not Found\r\nX-A: b\r\n\r\nnot here");
    });
    const HttpResponse response = http(port.number(), {.method = "DELETE", .target = "/x", .token = "secret"});
    server.join();
    EXPECT_EQ(response.status, 404);
    EXPECT_EQ(response.headers, "X-A: b\r\n");
    EXPECT_EQ(response.body, "not here");
    EXPECT_THAT(asked, HasSubstr("DELETE /x HTTP/1.0\r\n"));
    EXPECT_THAT(asked, HasSubstr("Authorization: Bearer secret\r\n"));
}

}  // namespace
}  // namespace weir::test
