// What no mail server says: it is answered, costs nobody else's mail, and never turns into a command for the relay.

#include <gtest/gtest.h>

#include <string>

#include "support/smtp_script.hpp"

namespace weir::test {
namespace {

using namespace std::string_literals;

TEST(HostileDialogue, ClosesBehindBdatWhoseChunkCannotBeFramed) {
    SmtpScript script;
    script.greeted()
        .peer("MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .asks("RCPT TO:<b@b.example>", yes())
        .weir("250 2.0.0 yes\r\n250 2.0.0 yes\r\n")
        .peer("BDAT 26\r\nMAIL FROM:<smuggled@evil>\r\n")
        .abandoned()
        .weir("502 5.5.1 BDAT is not offered\r\n")
        .closed();
    script.run();
    script.run_failing_at_every_step();
}

TEST(HostileDialogue, SendsAwayWhatIsNotSmtp) {
    for (const std::string& first :
         {"GET / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<smuggled@evil>\r\n"s, "POST / HTTP/1.1"s,
          "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"s, "\x16\x03\x01\x02\x00\x01"s}) {
        SmtpScript script;
        script.weir("220 weir.example ESMTP Weir\r\n").peer(first).weir("554 5.5.1 this is SMTP\r\n").closed();
        script.run();
        script.run_failing_at_every_step();
    }
}

TEST(HostileDialogue, SendsAwayAnotherProtocolHoweverItIsCut) {
    SmtpScript script;
    script.weir("220 weir.example ESMTP Weir\r\n").peer("GET ").weir("554 5.5.1 this is SMTP\r\n").closed();
    script.run_in_every_split();
}

TEST(HostileDialogue, AnswersEveryCommandOfAFloodOfErrorsBeforeItCloses) {
    std::string flood;
    SmtpScript script;
    script.greeted();
    for (int i = 0; i < 30; ++i) flood += "WHAT " + std::to_string(i) + "\r\n";
    script.peer(flood);
    for (int i = 0; i < 20; ++i) script.weir("500 5.5.2 command not recognised\r\n");
    for (int i = 20; i < 30; ++i) script.weir("421 4.7.0 too many errors\r\n");
    script.closed();
    script.run();
    script.run_failing_at_every_step();
}

TEST(HostileDialogue, HoldsStrangersAddressesAgainstNobody) {
    SmtpScript script;
    script.greeted();
    for (int i = 0; i < 25; ++i) {
        script.peer("MAIL FROM:<no address>\r\n").weir("501 5.5.4 syntax: MAIL FROM:<address>\r\n");
        script.peer("XFORWARD ADDR=nonsense\r\n");
        script.abandoned().weir("501 5.5.4 bad XFORWARD attribute\r\n");
    }
    script.peer("NOOP\r\n").weir("250 2.0.0 OK\r\n");
    script.run();
    script.run_in_every_split();
}

TEST(HostileDialogue, GivesATooLongLineOneReply) {
    SmtpScript script;
    script.greeted()
        .peer(std::string(8193, 'x') + "\r\nNOOP\r\n")
        .weir("500 5.5.2 line too long\r\n250 2.0.0 OK\r\n")
        .peer("NOOP " + std::string(8187, 'x') + "\r\n")
        .weir("250 2.0.0 OK\r\n")
        .peer("MAIL FROM:<" + std::string(70'000, 'x') + "@a.example>\r\n")
        .weir("500 5.5.2 line too long\r\n");
    script.run();
    script.run_failing_at_every_step();
}

TEST(HostileDialogue, CountsALineTheSameHoweverItIsCut) {
    SmtpScript script;
    script.weir("220 weir.example ESMTP Weir\r\n")
        .peer(std::string(8200, 'x') + "\r\nNOOP\r\n")
        .weir("500 5.5.2 line too long\r\n250 2.0.0 OK\r\n");
    script.run_in_every_split();
}

TEST(HostileDialogue, TakesABareLineEndForNoLineEnd) {
    SmtpScript script;
    script.greeted()
        .peer("MAIL FROM:<a@a.example>\nRCPT TO:<b@b.example>\r\n")
        .weir("550 5.5.2 bare <CR>, <LF> or <NUL> in a command\r\n")
        .peer("RCPT TO:<b@b.example>\r\n")
        .weir("503 5.5.1 the sender was refused\r\n")
        .peer("MAIL FROM:<a@a.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .weir("250 2.0.0 yes\r\n")
        .peer("RCPT TO:<b@b.example>\rDATA\r\n"s + "RCPT TO:<b\0@b.example>\r\n"s)
        .weir("550 5.5.2 bare <CR>, <LF> or <NUL> in a command\r\n550 5.5.2 bare <CR>, <LF> or <NUL> in a command\r\n")
        .peer("NOOP\nNOOP\r\n")
        .weir("550 5.5.2 bare <CR>, <LF> or <NUL> in a command\r\n");
    script.run();
    script.run_failing_at_every_step();
    script.run_in_every_split();
}

TEST(HostileDialogue, OffersNeitherTlsNorLogins) {
    SmtpScript script;
    script.greeted()
        .peer("STARTTLS\r\n\x16\x03\x01"s)
        .weir("502 5.5.1 not offered\r\n554 5.5.1 this is SMTP\r\n")
        .closed();
    script.run();
    SmtpScript login;
    login.greeted()
        .peer("AUTH PLAIN AGEAYg==\r\nEXPN staff\r\n")
        .weir("502 5.5.1 not offered\r\n502 5.5.1 not offered\r\n");
    login.run();
    login.run_in_every_split();
}

}  // namespace
}  // namespace weir::test
