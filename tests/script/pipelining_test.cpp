// Groups of commands sent at once (RFC 2920): every one gets its reply, in order, whatever becomes of the others.

#include <gtest/gtest.h>

#include <string>

#include "support/smtp_script.hpp"
#include "support/watched_session.hpp"

namespace weir::test {
namespace {

TEST(PipelinedDialogue, SendsAWholeGroupToTheRelayAndAnswersItInOrder) {
    SmtpScript script;
    script.greeted()
        .peer(
            "XFORWARD ADDR=192.0.2.7 IDENT=4jYR\r\n"
            "MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nRCPT TO:<c@b.example>\r\nDATA\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .of("192.0.2.7", "4jYR")
        .asks("RCPT TO:<b@b.example>", yes())
        .asks("RCPT TO:<c@b.example>", later())
        .asks("DATA", go_ahead())
        .weir("250 2.0.0 OK\r\n250 2.0.0 yes\r\n250 2.0.0 yes\r\n451 4.7.1 later\r\n354 go ahead\r\n")
        .peer("x\r\n.\r\nQUIT\r\n")
        .body("x\r\n.\r\n")
        .asks(".", yes())
        .weir("250 2.0.0 yes\r\n221 2.0.0 bye\r\n")
        .closed();
    script.run();
    script.run_failing_at_every_step();
    script.run_in_every_split();
}

TEST(PipelinedDialogue, RepeatsARefusalToAllThatCameBehindTheSender) {
    // Postfix has sent the recipients and DATA before it could know. A DATA that nothing follows keeps the session.
    SmtpScript script;
    script.greeted()
        .peer("MAIL FROM:<a@a.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", later())
        .weir("451 4.7.1 later\r\n")
        .peer("RCPT TO:<b@b.example>\r\nRCPT TO:<c@b.example>\r\nDATA\r\n")
        .weir("451 4.7.1 later\r\n451 4.7.1 later\r\n451 4.7.1 later\r\n")
        .peer("RSET\r\n")
        .abandoned()
        .weir("250 2.0.0 OK\r\n")
        .peer("NOOP\r\n")
        .weir("250 2.0.0 OK\r\n");
    script.run();
    script.run_failing_at_every_step();
    script.run_in_every_split();
}

TEST(PipelinedDialogue, BouncesNobodyForASenderThatIsRefusedWithItsRecipientsUnderWay) {
    // The recipients' own answers do not count once the sender's has come: a sloppy relay says yes to them.
    SmtpScript script;
    script.greeted()
        .peer("MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nRCPT TO:<c@b.example>\r\nDATA\r\n")
        .asks("MAIL FROM:<a@a.example>", later())
        .weir("451 4.7.1 later\r\n451 4.7.1 later\r\n451 4.7.1 later\r\n451 4.7.1 later\r\n");
    script.run_failing_at_every_step();

    // With the answers given late the recipients have been asked about as well.
    WatchedSession session({.hostname = "weir.example", .offer = smtp::unknown_relay_extensions()});
    while (!std::holds_alternative<smtp::Read>(session.next())) continue;
    session.feed("MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n");
    while (!std::holds_alternative<smtp::Settle>(session.next())) continue;
    ASSERT_EQ(session.open_slots().size(), 2U);
    session.answer(session.open_slots().back(), yes());
    session.answer(session.open_slots().front(), later());
    while (!std::holds_alternative<smtp::Read>(session.next())) continue;
    EXPECT_TRUE(session.transcript().said().ends_with("451 4.7.1 later\r\n451 4.7.1 later\r\n451 4.7.1 later\r\n"));
}

TEST(PipelinedDialogue, ClosesWhenAMessageFollowsADataThatWasRefused) {
    // What follows may be a body that did not wait for its 354: none of it may be read as commands.
    SmtpScript script;
    script.greeted()
        .peer(
            "MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\nSubject: x\r\n\r\n.\r\nMAIL FROM:<x@evil>\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .asks("RCPT TO:<b@b.example>", no())
        .weir("250 2.0.0 yes\r\n550 5.1.1 no\r\n554 5.5.1 no valid recipients\r\n")
        .abandoned()
        .closed();
    script.run();
    script.run_failing_at_every_step();
}

TEST(PipelinedDialogue, SaysLaterToDataWhenOneOfTheRecipientsMayBeTriedAgain) {
    SmtpScript script;
    script.greeted()
        .peer("MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nRCPT TO:<c@b.example>\r\nDATA\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .asks("RCPT TO:<b@b.example>", later())
        .asks("RCPT TO:<c@b.example>", no())
        .weir("250 2.0.0 yes\r\n451 4.7.1 later\r\n550 5.1.1 no\r\n451 4.7.1 later\r\n")
        .peer("QUIT\r\n")
        .abandoned()
        .weir("221 2.0.0 bye\r\n")
        .closed();
    script.run();
    script.run_failing_at_every_step();
    script.run_in_every_split();
}

TEST(PipelinedDialogue, TakesAThousandRecipientsAndNotOneMore) {
    std::string group = "MAIL FROM:<a@a.example>\r\n";
    SmtpScript script;
    for (int i = 0; i <= 1000; ++i) group += "RCPT TO:<" + std::to_string(i) + "@b.example>\r\n";
    script.greeted().peer(group).asks("MAIL FROM:<a@a.example>", yes()).weir("250 2.0.0 yes\r\n");
    for (int i = 0; i < 1000; ++i) {
        script.asks("RCPT TO:<" + std::to_string(i) + "@b.example>", yes()).weir("250 2.0.0 yes\r\n");
    }
    script.weir("452 4.5.3 too many recipients\r\n");
    script.run();
}

TEST(PipelinedDialogue, KeepsMemoryBoundedWhenALongRefusalAnswersThousandsOfCommands) {
    smtp::Reply novel(451, "4.7.1 " + std::string(1000, 'x'));
    for (int i = 0; i < 15; ++i) novel.lines.emplace_back(1000, 'x');
    std::string recipients;
    for (int i = 0; i < 300; ++i) recipients += "RCPT TO:<b@b.example>\r\n";
    SmtpScript script;
    script.greeted().peer("MAIL FROM:<a@a.example>\r\n").asks("MAIL FROM:<a@a.example>", novel).weir(novel.wire());
    script.peer(recipients);
    for (int i = 0; i < 300; ++i) script.weir(novel.wire());
    script.run();  // 5 MB are said; WatchedSession holds the session to a few hundred kilobytes
}

}  // namespace
}  // namespace weir::test
