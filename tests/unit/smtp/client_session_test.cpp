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

using StartTls = ClientOptions::StartTls;

const std::string offering_tls = "250-relay.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n";

/// Greeted, and told what the relay offers.
ClientSession begun(ClientOptions options, std::string_view offer) {
    ClientSession session(std::move(options));
    session.feed("220 relay.example ESMTP\r\n");
    EXPECT_EQ(session.take_output(), "EHLO weir.example\r\n");
    session.feed(offer);
    return session;
}

TEST(ClientTls, ForgetsWhatWasOfferedInClearText) {
    ClientSession session = begun({.ehlo_name = "weir.example", .start_tls = StartTls::required}, offering_tls);
    EXPECT_EQ(session.take_output(), "STARTTLS\r\n");
    EXPECT_FALSE(session.wants_tls());
    session.feed("220 ready\r\n");
    ASSERT_TRUE(session.wants_tls());
    EXPECT_FALSE(session.is_ready());
    session.tls_started();
    EXPECT_FALSE(session.extensions().pipelining);
    EXPECT_EQ(session.take_output(), "EHLO weir.example\r\n");
    session.feed("250-relay.example\r\n250 DSN\r\n");
    EXPECT_TRUE(session.is_ready());
    EXPECT_EQ(session.extensions(), Extensions{.dsn = true});
}

TEST(ClientTls, NothingMayFollowTheReplyInClearText) {
    for (const char* injected : {"250 evil\r\n", "2", "\r\n", "454 no\r\n"}) {
        ClientSession session = begun({.ehlo_name = "weir.example", .start_tls = StartTls::if_offered}, offering_tls);
        EXPECT_EQ(session.take_output(), "STARTTLS\r\n");
        session.feed(std::string("220 ready\r\n") + injected);
        EXPECT_EQ(session.error(), Errc::unexpected_reply) << injected;
        EXPECT_FALSE(session.wants_tls());
    }
}

TEST(ClientTls, IsInsistedOnWhereItIsRequired) {
    for (const char* offer : {"250-relay.example\r\n250 SIZE\r\n", "500 what?\r\n"}) {
        const ClientSession session = begun({.ehlo_name = "weir.example", .start_tls = StartTls::required}, offer);
        EXPECT_EQ(session.error(), Errc::tls_not_offered) << offer;
    }
    for (const char* answer : {"454 not now\r\n", "502 what?\r\n", "354 go\r\n", "250 fine\r\n"}) {
        ClientSession session = begun({.ehlo_name = "weir.example", .start_tls = StartTls::required}, offering_tls);
        EXPECT_EQ(session.take_output(), "STARTTLS\r\n");
        session.feed(answer);
        EXPECT_EQ(session.error(), Errc::relay_refused) << answer;
    }
}

TEST(ClientTls, IsDoneWithoutWhereThatIsAllowed) {
    ClientSession session = begun({.ehlo_name = "weir.example", .start_tls = StartTls::if_offered}, offering_tls);
    EXPECT_EQ(session.take_output(), "STARTTLS\r\n");
    session.feed("454 not now\r\n");
    EXPECT_TRUE(session.is_ready());
    EXPECT_TRUE(session.extensions().pipelining);
}

ClientOptions with_login(bool is_encrypted) {
    return {.ehlo_name = "weir.example",
            .is_encrypted = is_encrypted,
            .credentials = Credentials{.username = "me", .secret = "pw"}};
}

TEST(ClientLogin, ComesBeforeTheFirstCommand) {
    ClientSession session = begun(with_login(true), "250-relay.example\r\n250 AUTH LOGIN PLAIN\r\n");
    EXPECT_FALSE(session.is_ready());
    EXPECT_EQ(session.take_output(), "AUTH PLAIN AG1lAHB3\r\n");
    session.feed("235 welcome\r\n");
    EXPECT_TRUE(session.is_ready());
}

TEST(ClientLogin, DoesNotHappenInClearText) {
    ClientSession session = begun(with_login(false), "250-relay.example\r\n250 AUTH PLAIN\r\n");
    EXPECT_EQ(session.error(), Errc::auth_needs_tls);
    EXPECT_EQ(session.take_output(), "");
}

TEST(ClientLogin, IsMissedWhereTheRelayOffersNone) {
    EXPECT_EQ(begun(with_login(true), "250 relay.example\r\n").error(), Errc::auth_unavailable);
    EXPECT_EQ(begun(with_login(true), "250-relay.example\r\n250 AUTH GSSAPI\r\n").error(), Errc::auth_unavailable);
}

TEST(ClientLogin, ThatIsRefusedKeepsTheReply) {
    for (const char* answer : {"535 5.7.8 wrong\r\n", "454 4.7.0 later\r\n", "250 fine\r\n", "421 bye\r\n"}) {
        ClientSession session = begun(with_login(true), "250-relay.example\r\n250 AUTH PLAIN\r\n");
        (void)session.take_output();
        session.feed(answer);
        EXPECT_EQ(session.error(), Errc::auth_failed) << answer;
        EXPECT_EQ(session.refusal()->wire(), answer);
    }
}

TEST(ClientLogin, IsNotBelievedBeforeTheRelayHasShownThatItKnowsThePassword) {
    ClientSession session = begun(with_login(true), "250-relay.example\r\n250 AUTH SCRAM-SHA-256\r\n");
    EXPECT_TRUE(session.take_output().starts_with("AUTH SCRAM-SHA-256 "));
    session.feed("235 welcome, whoever you are\r\n");
    EXPECT_EQ(session.error(), Errc::auth_failed);
}

}  // namespace
}  // namespace weir::smtp
