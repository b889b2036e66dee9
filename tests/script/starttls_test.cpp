// STARTTLS from a Postfix on another host (RFC 3207).

#include <gtest/gtest.h>

#include "support/smtp_script.hpp"

namespace weir::test {
namespace {

smtp::ServerOptions with_starttls() {
    smtp::ServerOptions options;
    options.hostname = "weir.example";
    options.starttls = true;
    return options;
}

TEST(StarttlsDialogue, BeginsAnewBehindTheHandshake) {
    SmtpScript script(with_starttls());
    script.weir("220 weir.example ESMTP Weir\r\n")
        .peer("EHLO a.example\r\n")
        .weir(
            "250-weir.example\r\n250-PIPELINING\r\n250-STARTTLS\r\n"
            "250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n250 ENHANCEDSTATUSCODES\r\n")
        .peer("XFORWARD ADDR=203.0.113.9 IDENT=FORGED\r\n")
        .weir("250 2.0.0 OK\r\n")
        .peer("STARTTLS\r\n")
        .weir("220 2.0.0 ready to start TLS\r\n")
        .tls()
        .peer("EHLO a.example\r\n")
        .weir(
            "250-weir.example\r\n250-PIPELINING\r\n"
            "250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n250 ENHANCEDSTATUSCODES\r\n")
        .peer("MAIL FROM:<a@a.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())  // of nobody: what XFORWARD said in clear text is forgotten
        .weir("250 2.0.0 yes\r\n");
    script.run();
    script.run_failing_at_every_step();
}

TEST(StarttlsDialogue, EndsWhereSomethingFollowsTheCommandInClearText) {
    for (const char* injected : {"NOOP\r\n", "EHLO evil.example\r\n", "\x16\x03\x01", "M"}) {
        SmtpScript script(with_starttls());
        script.weir_any()
            .peer("EHLO a.example\r\n")
            .weir_any()
            .peer(std::string("STARTTLS\r\n") + injected)
            .weir("554 5.5.0 nothing may follow STARTTLS\r\n")
            .closed();
        script.run();
        script.run_failing_at_every_step();
    }
}

TEST(StarttlsDialogue, AbandonsWhatWasUnderWay) {
    SmtpScript script(with_starttls());
    script.weir_any()
        .peer("EHLO a.example\r\n")
        .weir_any()
        .peer("MAIL FROM:<a@a.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .weir("250 2.0.0 yes\r\n")
        .peer("STARTTLS\r\n")
        .abandoned()
        .weir("220 2.0.0 ready to start TLS\r\n")
        .tls()
        .peer("RCPT TO:<b@b.example>\r\n")
        .weir("503 5.5.1 MAIL first\r\n");
    script.run();
    script.run_failing_at_every_step();
}

}  // namespace
}  // namespace weir::test
