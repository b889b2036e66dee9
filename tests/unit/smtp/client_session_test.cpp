#include "weir/smtp/client_session.hpp"

#include <gtest/gtest.h>

namespace weir::smtp {
namespace {

using core::Errc;

class Client : public testing::Test {
protected:
    void greet() {
        session_.feed("220 relay.example ESMTP\r\n");
        EXPECT_EQ(session_.take_output(), "EHLO weir.example\r\n");
        session_.feed("250-relay.example\r\n250-SIZE 1000\r\n250 PIPELINING\r\n");
        ASSERT_TRUE(session_.is_ready());
    }

    std::string heard() {
        std::string out;
        while (const auto reply = session_.take_reply()) out += reply->wire();
        return out;
    }

    ClientSession session_{{.ehlo_name = "weir.example"}};
};

TEST_F(Client, WaitsForTheGreetingBeforeItSpeaks) {
    EXPECT_EQ(session_.take_output(), "");
    EXPECT_EQ(session_.awaiting(), 1U);
    session_.feed("220-relay.example\r\n");
    EXPECT_EQ(session_.take_output(), "");
    session_.feed("220 ESMTP\r\n");
    EXPECT_EQ(session_.take_output(), "EHLO weir.example\r\n");
    EXPECT_FALSE(session_.is_ready());
}

TEST_F(Client, LearnsWhatTheRelayOffers) {
    greet();
    EXPECT_EQ(session_.extensions(), (Extensions{.pipelining = true, .size = true, .max_size = 1000}));
    EXPECT_EQ(session_.awaiting(), 0U);
}

TEST_F(Client, IsReadyHoweverTheBytesAreCut) {
    for (const char byte : std::string_view("220-a\r\n220 b\r\n")) session_.feed({&byte, 1});
    (void)session_.take_output();
    for (const char byte : std::string_view("250-a\r\n250 DSN\r\n")) session_.feed({&byte, 1});
    EXPECT_TRUE(session_.is_ready());
    EXPECT_TRUE(session_.extensions().dsn);
}

TEST_F(Client, KeepsTheReplyOfARelayThatDoesNotWantIt) {
    for (const char* greeting : {"421 4.3.2 busy\r\n", "554 5.7.1 go away\r\n", "250 confused\r\n"}) {
        ClientSession session({.ehlo_name = "weir.example"});
        session.feed(greeting);
        EXPECT_EQ(session.error(), Errc::relay_refused);
        EXPECT_EQ(session.refusal()->wire(), greeting);
        EXPECT_EQ(session.take_output(), "");
        EXPECT_FALSE(session.is_ready());
    }
}

TEST_F(Client, GreetsAnOldRelayWithHelo) {
    session_.feed("220 relay.example\r\n");
    (void)session_.take_output();
    session_.feed("502 5.5.1 what?\r\n");
    EXPECT_FALSE(session_.is_ready());
    EXPECT_EQ(session_.take_output(), "HELO weir.example\r\n");
    session_.feed("250 relay.example\r\n");
    EXPECT_TRUE(session_.is_ready());
    EXPECT_EQ(session_.extensions(), Extensions());
}

TEST_F(Client, GivesUpWhenNeitherEhloNorHeloIsTaken) {
    session_.feed("220 relay.example\r\n");
    (void)session_.take_output();
    session_.feed("502 what?\r\n");
    (void)session_.take_output();
    session_.feed("554 go away\r\n");
    EXPECT_EQ(session_.error(), Errc::relay_refused);
    EXPECT_EQ(session_.refusal()->summary(), "554 go away");
}

TEST_F(Client, DoesNotTryHeloWhenEhloIsOnlyDeferred) {
    session_.feed("220 relay.example\r\n");
    (void)session_.take_output();
    session_.feed("451 4.7.1 later\r\n");
    EXPECT_EQ(session_.error(), Errc::relay_refused);
    EXPECT_EQ(session_.take_output(), "");
}

TEST_F(Client, TakesOneReplyForEachCommandAndForTheBody) {
    greet();
    session_.send("MAIL FROM:<a@b>\r\n");
    session_.send("RCPT TO:<c@d>\r\n");
    EXPECT_EQ(session_.take_output(), "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
    EXPECT_EQ(session_.awaiting(), 2U);
    session_.feed("250 a\r\n250-");
    EXPECT_EQ(session_.awaiting(), 1U);
    session_.feed("b\r\n250 c\r\n");
    EXPECT_EQ(session_.awaiting(), 0U);
    EXPECT_EQ(heard(), "250 a\r\n250-b\r\n250 c\r\n");
    session_.expect_reply();
    session_.feed("250 queued\r\n");
    EXPECT_EQ(heard(), "250 queued\r\n");
    EXPECT_FALSE(session_.error());
}

TEST_F(Client, TakesNoUnaskedReplyForAnAnswer) {
    greet();
    session_.feed("421 4.4.2 idle for too long\r\n");
    EXPECT_EQ(session_.error(), Errc::unexpected_reply);
    EXPECT_EQ(session_.refusal()->code, 421);
    EXPECT_FALSE(session_.is_ready());
    EXPECT_EQ(heard(), "");
}

TEST_F(Client, TakesNoReplyForTheAnswerToACommandThatIsNotWrittenYet) {
    greet();
    session_.send("RSET\r\n");
    session_.feed("421 4.4.2 idle for too long\r\n");
    EXPECT_EQ(session_.error(), Errc::unexpected_reply);
    EXPECT_EQ(heard(), "");
}

TEST_F(Client, KeepsTheRepliesThatCameBeforeOneTooMany) {
    greet();
    session_.send("NOOP\r\n");
    (void)session_.take_output();
    session_.feed("250 a\r\n250 b\r\n250 c\r\n");
    EXPECT_EQ(session_.error(), Errc::unexpected_reply);
    EXPECT_EQ(heard(), "250 a\r\n");
    EXPECT_EQ(session_.refusal()->summary(), "250 b");
}

TEST_F(Client, RefusesAnAnswerToEhloInTheGreetingsSegment) {
    session_.feed("220 relay.example\r\n250-evil\r\n250 SIZE 1\r\n");
    EXPECT_EQ(session_.error(), Errc::unexpected_reply);
    EXPECT_EQ(session_.extensions(), Extensions());
}

TEST_F(Client, IsGoodForNothingAfterBytesThatAreNoReply) {
    greet();
    session_.send("NOOP\r\n");
    (void)session_.take_output();
    session_.feed("garbage\r\n250 OK\r\n");
    EXPECT_EQ(session_.error(), Errc::bad_reply);
    session_.feed("250 OK\r\n");
    EXPECT_EQ(heard(), "");
}

}  // namespace
}  // namespace weir::smtp
