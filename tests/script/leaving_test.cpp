// How a session ends: when asked to, when the daemon restarts, and when there is nobody any more.

#include <gtest/gtest.h>

#include "support/smtp_script.hpp"

namespace weir::test {
namespace {

/// One message, up to its final dot.
SmtpScript& with_message(SmtpScript& script) {
    return script.greeted()
        .peer("MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .asks("RCPT TO:<b@b.example>", yes())
        .weir("250 2.0.0 yes\r\n250 2.0.0 yes\r\n")
        .peer("DATA\r\n")
        .asks("DATA", go_ahead())
        .weir("354 go ahead\r\n");
}

TEST(LeavingDialogue, DrainsAfterTheMessageThatIsUnderWay) {
    SmtpScript script;
    with_message(script)
        .drain()
        .peer("x\r\n.\r\n")
        .body("x\r\n.\r\n")
        .asks(".", yes())
        .weir("250 2.0.0 yes\r\n")
        .closed();
    script.run();
    script.run_failing_at_every_step();
    script.run_in_every_split();
}

TEST(LeavingDialogue, DrainsAtAResetThatFollowsAMessage) {
    SmtpScript script;
    with_message(script)
        .drain()
        .peer("x\r\n.\r\nRSET\r\n")
        .body("x\r\n.\r\n")
        .asks(".", yes())
        .weir("250 2.0.0 yes\r\n421 4.3.2 weir.example is restarting\r\n")
        .closed();
    script.run();
    script.run_failing_at_every_step();
}

TEST(LeavingDialogue, TurnsNoMailAwayWhileItDrains) {
    // A 421 at MAIL would make Postfix suspend the relay. The message is taken; the session ends behind it.
    SmtpScript script;
    script.greeted()
        .drain()
        .peer("MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .asks("RCPT TO:<b@b.example>", yes())
        .weir("250 2.0.0 yes\r\n250 2.0.0 yes\r\n")
        .peer("RSET\r\n")
        .abandoned()
        .weir("250 2.0.0 OK\r\n")
        .peer("QUIT\r\n")
        .weir("221 2.0.0 bye\r\n")
        .closed();
    script.run();
    script.run_failing_at_every_step();
    script.run_in_every_split();
}

TEST(LeavingDialogue, SaysByeToAQuitThatCameWithTheFinalDot) {
    SmtpScript script;
    with_message(script)
        .peer("x\r\n.\r\nQUIT\r\nNOOP\r\n")
        .body("x\r\n.\r\n")
        .asks(".", later())
        .weir("451 4.7.1 later\r\n221 2.0.0 bye\r\n")
        .closed();
    script.run();
    script.run_failing_at_every_step();
}

TEST(LeavingDialogue, AbandonsTheMessageOfAPeerThatQuits) {
    SmtpScript script;
    script.greeted()
        .peer("MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nQUIT\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .asks("RCPT TO:<b@b.example>", yes())
        .weir("250 2.0.0 yes\r\n250 2.0.0 yes\r\n")
        .abandoned()
        .weir("221 2.0.0 bye\r\n")
        .closed();
    script.run();
    script.run_failing_at_every_step();
    script.run_in_every_split();
}

}  // namespace
}  // namespace weir::test
