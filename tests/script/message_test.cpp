// Messages as Postfix sends them. Each dialogue also runs broken off at every read and write, and cut at every byte.

#include <gtest/gtest.h>

#include <string>

#include "support/smtp_script.hpp"

namespace weir::test {
namespace {

void run_every_way(const SmtpScript& script) {
    script.run();
    script.run_failing_at_every_step();
    script.run_in_every_split();
}

TEST(MessageDialogue, PassesTheUsualMessageOnUnchanged) {
    const std::string body = "Received: by p.example (Postfix)\r\n\tid 4jYR\r\n\r\n..a dot\r\n\r\n.\r\n";
    SmtpScript script;
    script.greeted()
        .peer("MAIL FROM:<a@a.example> SIZE=1000\r\n")
        .asks("MAIL FROM:<a@a.example> SIZE=1000", yes())
        .weir("250 2.0.0 yes\r\n")
        .peer("RCPT TO:<b@b.example>\r\n")
        .asks("RCPT TO:<b@b.example>", yes())
        .weir("250 2.0.0 yes\r\n")
        .peer("DATA\r\n")
        .asks("DATA", go_ahead())
        .weir("354 go ahead\r\n")
        .peer(body)
        .body(body)
        .asks(".", {250, "2.0.0 queued as 4711"})
        .weir("250 2.0.0 queued as 4711\r\n")
        .peer("QUIT\r\n")
        .weir("221 2.0.0 bye\r\n")
        .closed();
    run_every_way(script);
}

TEST(MessageDialogue, TellsEachRecipientItsOwnFate) {
    SmtpScript script;
    script.greeted()
        .peer(
            "MAIL FROM:<a@a.example>\r\nRCPT TO:<1@b.example>\r\nRCPT TO:<2@b.example>\r\nRCPT TO:<3@b.example>\r\n"
            "RCPT TO:<4@b.example>\r\nDATA\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .asks("RCPT TO:<1@b.example>", yes())
        .asks("RCPT TO:<2@b.example>", later())
        .asks("RCPT TO:<3@b.example>", no())
        .asks("RCPT TO:<4@b.example>", {421, "4.7.0 too many connections"})
        .asks("DATA", go_ahead())
        .weir("250 2.0.0 yes\r\n250 2.0.0 yes\r\n451 4.7.1 later\r\n550 5.1.1 no\r\n451 4.7.0 too many connections\r\n")
        .weir("354 go ahead\r\n")
        .peer(".\r\n")
        .body(".\r\n")
        .asks(".", later())
        .weir("451 4.7.1 later\r\n");
    run_every_way(script);
}

TEST(MessageDialogue, BelievesXforwardForOneMessageOnly) {
    SmtpScript script;
    script.greeted()
        .peer("XFORWARD NAME=c.example ADDR=192.0.2.7 PORT=1 PROTO=ESMTP HELO=c\r\n")
        .weir("250 2.0.0 OK\r\n")
        .peer("XFORWARD IDENT=4jYR SOURCE=REMOTE\r\n")
        .weir("250 2.0.0 OK\r\n")
        .peer("MAIL FROM:<a@a.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .of("192.0.2.7", "4jYR")
        .weir("250 2.0.0 yes\r\n")
        .peer("RCPT TO:<b@b.example>\r\n")
        .asks("RCPT TO:<b@b.example>", yes())
        .weir("250 2.0.0 yes\r\n")
        .peer("DATA\r\n")
        .asks("DATA", go_ahead())
        .weir("354 go ahead\r\n")
        .peer(".\r\n")
        .body(".\r\n")
        .asks(".", yes())
        .weir("250 2.0.0 yes\r\n")
        .peer("MAIL FROM:<other@a.example>\r\n")
        .asks("MAIL FROM:<other@a.example>", yes())
        .weir("250 2.0.0 yes\r\n");
    run_every_way(script);
}

TEST(MessageDialogue, ForgetsXforwardWithARefusedSender) {
    SmtpScript script;
    script.greeted()
        .peer("XFORWARD ADDR=192.0.2.7 IDENT=4jYR\r\nMAIL FROM:<a@a.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", later())
        .of("192.0.2.7", "4jYR")
        .weir("250 2.0.0 OK\r\n451 4.7.1 later\r\n")
        .peer("RSET\r\n")
        .abandoned()
        .weir("250 2.0.0 OK\r\n")
        .peer("MAIL FROM:<other@a.example>\r\n")
        .asks("MAIL FROM:<other@a.example>", later())
        .weir("451 4.7.1 later\r\n");
    run_every_way(script);
}

TEST(MessageDialogue, AbandonsWhatIsResetAndGoesOn) {
    SmtpScript script;
    script.greeted()
        .peer("MAIL FROM:<>\r\nRCPT TO:<b@b.example>\r\n")
        .asks("MAIL FROM:<>", yes())
        .asks("RCPT TO:<b@b.example>", yes())
        .weir("250 2.0.0 yes\r\n250 2.0.0 yes\r\n")
        .peer("RSET\r\n")
        .abandoned()
        .weir("250 2.0.0 OK\r\n")
        .peer("RCPT TO:<c@b.example>\r\n")
        .weir("503 5.5.1 MAIL first\r\n")
        .peer("MAIL FROM:<a@a.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .weir("250 2.0.0 yes\r\n")
        .peer("EHLO again.example\r\n")
        .abandoned()
        .weir_any();
    run_every_way(script);
}

TEST(MessageDialogue, PassesTheParametersOfEveryExtensionOn) {
    const std::string mail = "MAIL FROM:<\xc3\xbc@a.example> SIZE=5 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=Q+2B1";
    const std::string rcpt = "RCPT TO:<b@\xc3\xbc.example> NOTIFY=SUCCESS,DELAY ORCPT=utf-8;b@x";
    SmtpScript script;
    script.greeted()
        .peer(mail + "\r\n" + rcpt + "\r\n")
        .asks(mail, yes())
        .asks(rcpt, yes())
        .weir("250 2.0.0 yes\r\n250 2.0.0 yes\r\n")
        .peer("RCPT TO:<b@b.example> COLOR=green\r\n")
        .weir("555 5.5.4 unknown parameter COLOR\r\n")
        .peer("RCPT TO:<c@b.example> NOTIFY=NEVER,DELAY\r\n")
        .weir("501 5.5.4 bad value of NOTIFY\r\n");
    run_every_way(script);
}

TEST(MessageDialogue, RefusesWhatIsNotTextWithoutSmtputf8) {
    SmtpScript script;
    script.greeted()
        .peer("MAIL FROM:<\xc3\xbc@a.example>\r\nRCPT TO:<b@b.example>\r\n")
        .weir("553 5.6.7 SMTPUTF8 is needed\r\n503 5.5.1 the sender was refused\r\n")
        .peer("MAIL FROM:<a@a.example>\r\nRCPT TO:<b@\xc3\xbc.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .weir("250 2.0.0 yes\r\n553 5.6.7 SMTPUTF8 is needed\r\n");
    run_every_way(script);
}

TEST(MessageDialogue, IsNotDisturbedByCommandsThatMayComeAtAnyTime) {
    SmtpScript script;
    script.greeted()
        .peer("NOOP\r\nVRFY a@a.example\r\nHELP\r\nMAIL FROM:<a@a.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .weir(
            "250 2.0.0 OK\r\n252 2.1.5 send some mail, it will be tried\r\n214 2.0.0 see RFC 5321\r\n250 2.0.0 yes\r\n")
        .peer("NOOP\r\nRCPT TO:<b@b.example>\r\nNOOP\r\n")
        .asks("RCPT TO:<b@b.example>", yes())
        .weir("250 2.0.0 OK\r\n250 2.0.0 yes\r\n250 2.0.0 OK\r\n");
    run_every_way(script);
}

TEST(MessageDialogue, TurnsRepliesThatPostfixMustNotHearIntoOnesItMay) {
    SmtpScript script;
    script.greeted()
        .peer("MAIL FROM:<a@a.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", {421, "4.3.2 going down"})
        .weir("451 4.3.2 going down\r\n")
        .peer("MAIL FROM:<a@a.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", {354, "what?"})
        .weir("451 4.5.0 the relay answered 354 what? where that is not allowed\r\n")
        .peer("MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .asks("RCPT TO:<b@b.example>", yes())
        .weir("250 2.0.0 yes\r\n250 2.0.0 yes\r\n")
        .peer("DATA\r\n")
        .asks("DATA", {250, "2.0.0 what?"})
        .weir("451 4.5.0 the relay answered 250 2.0.0 what? where that is not allowed\r\n");
    run_every_way(script);
}

}  // namespace
}  // namespace weir::test
