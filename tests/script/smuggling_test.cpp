// SMTP smuggling (CVE-2023-51764 and its kin): no byte sequence ends a message for the relay that does not end it for
// us. The sequences are those that public tools and papers list, and some of our own.

#include <gtest/gtest.h>

#include <string>

#include "support/smtp_script.hpp"

namespace weir::test {
namespace {

using namespace std::string_literals;

struct Sequence {
    const char* name;
    std::string bytes;
    bool is_clean = false;  ///< no bare CR, LF or NUL: it passes, as text
};

class Smuggling : public testing::TestWithParam<Sequence> {};

SmtpScript& begun(SmtpScript& script) {
    return script.greeted()
        .peer("MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n")
        .asks("MAIL FROM:<a@a.example>", yes())
        .asks("RCPT TO:<b@b.example>", yes())
        .weir("250 2.0.0 yes\r\n250 2.0.0 yes\r\n")
        .peer("DATA\r\n")
        .asks("DATA", go_ahead())
        .weir("354 go ahead\r\n");
}

TEST_P(Smuggling, HidesNoSecondMessage) {
    const std::string body = "first" + GetParam().bytes +
                             "MAIL FROM:<smuggled@evil.example>\r\nRCPT TO:<v@b.example>\r\nDATA\r\nsecond\r\n.\r\n";
    SmtpScript script;
    if (GetParam().is_clean) {
        begun(script).peer(body).body(body).asks(".", yes()).weir("250 2.0.0 yes\r\n");
        script.run_in_every_split();
    } else {
        // Whatever was clean before the sequence may have gone to the relay, but never a final dot.
        begun(script).peer(body).body_refused().weir("550 5.5.2 bare <CR>, <LF> or <NUL> in the message\r\n");
    }
    script.peer("NOOP\r\n").weir("250 2.0.0 OK\r\n");
    script.run();
    script.run_failing_at_every_step();
}

INSTANTIATE_TEST_SUITE_P(
    EachSequence, Smuggling,
    testing::Values(Sequence{"LfDotLf", "\n.\n"}, Sequence{"LfDotCrlf", "\n.\r\n"}, Sequence{"CrDotCr", "\r.\r"},
                    Sequence{"CrDotCrlf", "\r.\r\n"}, Sequence{"CrlfDotLf", "\r\n.\n"},
                    Sequence{"CrlfDotCr", "\r\n.\r"}, Sequence{"CrDotLf", "\r.\n"}, Sequence{"LfDotCr", "\n.\r"},
                    Sequence{"CrlfNulDotCrlf", "\r\n\0.\r\n"s}, Sequence{"CrlfDotNulCrlf", "\r\n.\0\r\n"s},
                    Sequence{"CrNulLfDotCrlf", "\r\0\n.\r\n"s}, Sequence{"CrlfDotCrNulLf", "\r\n.\r\0\n"s},
                    Sequence{"CrlfDotCrCrlf", "\r\n.\r\r\n"}, Sequence{"CrCrlfDotCrCrlf", "\r\r\n.\r\r\n"},
                    Sequence{"StuffedDot", "\r\n..\r\n", true}, Sequence{"DotBlank", "\r\n. \r\n", true},
                    Sequence{"DotLetter", "\r\n.x\r\n", true}, Sequence{"VerticalTab", "\v.\v", true},
                    Sequence{"NextLine", "\xc2\x85.\xc2\x85", true},
                    Sequence{"LineSeparator", "\xe2\x80\xa8.\xe2\x80\xa8", true}),
    [](const auto& test) { return test.param.name; });

TEST(Smuggling, OfANulBehindAGenuineEndIsNoCommand) {
    SmtpScript script;
    begun(script)
        .peer("first\r\n.\r\n\0MAIL FROM:<smuggled@evil.example>\r\n"s)
        .body("first\r\n.\r\n")
        .asks(".", yes())
        .weir("250 2.0.0 yes\r\n554 5.5.1 this is SMTP\r\n")
        .closed();
    script.run();
}

TEST(Smuggling, AfterAGenuineEndBehindABareCrIsSeenAsWhatItIs) {
    // The message is refused, but its end is where it is: the next command is Postfix's own.
    SmtpScript script;
    begun(script)
        .peer("first\r\r\n.\r\nMAIL FROM:<next@a.example>\r\n")
        .body_refused()
        .asks("MAIL FROM:<next@a.example>", yes())
        .weir("550 5.5.2 bare <CR>, <LF> or <NUL> in the message\r\n250 2.0.0 yes\r\n");
    script.run();
}

}  // namespace
}  // namespace weir::test
