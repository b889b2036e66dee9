#include "weir/smtp/command.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weir::smtp {
namespace {

struct VerbCase {
    const char* name;
    const char* line;
    Verb verb;
    const char* argument;
};

class ParseCommand : public testing::TestWithParam<VerbCase> {};

TEST_P(ParseCommand, SplitsTheLine) {
    const Command command = parse_command(GetParam().line);
    EXPECT_EQ(command.verb, GetParam().verb);
    EXPECT_EQ(command.argument, GetParam().argument);
}

INSTANTIATE_TEST_SUITE_P(
    Lines, ParseCommand,
    testing::Values(
        VerbCase{"Ehlo", "EHLO a.example", Verb::ehlo, "a.example"}, VerbCase{"Helo", "helo a", Verb::helo, "a"},
        VerbCase{"Mail", "MAIL FROM:<a@b> SIZE=1", Verb::mail, "FROM:<a@b> SIZE=1"},
        VerbCase{"MixedCase", "rCpT TO:<a@b>", Verb::rcpt, "TO:<a@b>"}, VerbCase{"Data", "DATA", Verb::data, ""},
        VerbCase{"TrailingBlanks", "DATA \t ", Verb::data, ""}, VerbCase{"Tab", "MAIL\tFROM:<>", Verb::mail, "FROM:<>"},
        VerbCase{"ManyBlanks", "NOOP   x  y ", Verb::noop, "x  y"}, VerbCase{"Rset", "RSET", Verb::rset, ""},
        VerbCase{"Quit", "QUIT", Verb::quit, ""}, VerbCase{"Vrfy", "VRFY a", Verb::vrfy, "a"},
        VerbCase{"Expn", "EXPN l", Verb::expn, "l"}, VerbCase{"Help", "HELP", Verb::help, ""},
        VerbCase{"Xforward", "XFORWARD ADDR=::1", Verb::xforward, "ADDR=::1"},
        VerbCase{"Starttls", "STARTTLS", Verb::starttls, ""},
        VerbCase{"Auth", "AUTH PLAIN AA==", Verb::auth, "PLAIN AA=="},
        VerbCase{"Bdat", "BDAT 10 LAST", Verb::bdat, "10 LAST"}, VerbCase{"Empty", "", Verb::unknown, ""},
        VerbCase{"Unknown", "XCLIENT ADDR=::1", Verb::unknown, "XCLIENT ADDR=::1"},
        VerbCase{"LongerThanAVerb", "DATAX", Verb::unknown, "DATAX"},
        VerbCase{"ShorterThanAVerb", "DAT", Verb::unknown, "DAT"},
        VerbCase{"LeadingBlank", " DATA", Verb::unknown, " DATA"},
        VerbCase{"HiddenLineFeed", "MAIL\nFROM:<a@b>", Verb::unknown, "MAIL\nFROM:<a@b>"}),
    [](const auto& test) { return test.param.name; });

TEST(ForeignProtocol, IsToldByItsFirstBytes) {
    for (const char* line :
         {"GET / HTTP/1.1", "POST /mail HTTP/1.1\r\nHost: x", "PUT /", "HEAD /", "OPTIONS *", "CONNECT x:25 HTTP/1.1",
          "PROXY TCP4 192.0.2.1 192.0.2.2 1 25", "\x16\x03\x01\x02", "\x7f", "\x1b[A"}) {
        EXPECT_TRUE(is_foreign_protocol(line)) << line;
    }
    EXPECT_TRUE(is_foreign_protocol(std::string_view("\0QUIT", 5)));
}

TEST(ForeignProtocol, IsNoCommandAndNoMistypedOne) {
    for (const char* line :
         {"", "EHLO x", "\r\n", "\n", " GET /", "GETS /", "GET", "get /", "RSET\r\nGET / HTTP/1.1", "b\xc3\xbc"}) {
        EXPECT_FALSE(is_foreign_protocol(line)) << line;
    }
}

TEST(EqualsIgnoringCase, FoldsAsciiLettersOnly) {
    EXPECT_TRUE(equals_ignoring_case("Size-1", "sIZE-1"));
    EXPECT_FALSE(equals_ignoring_case("size", "sizes"));
    EXPECT_FALSE(equals_ignoring_case("@", "`"));
    EXPECT_FALSE(equals_ignoring_case("\xc3\xa4", "\xc3\x84"));
}

TEST(IsUtf8, TakesEveryLengthOfSequence) {
    for (const char* text : {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                             "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
                             "b\xc3\xbc"
                             "cher"}) {
        EXPECT_TRUE(is_utf8(text)) << testing::PrintToString(text);
    }
}

TEST(IsUtf8, RefusesWhatCouldBeReadInTwoWays) {
    for (const char* text : {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3",
                             "\xc3"
                             "a",
                             "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                             "\xf5\x80\x80\x80", "\xff",
                             "a\xe2\x82"
                             "a"}) {
        EXPECT_FALSE(is_utf8(text)) << testing::PrintToString(text);
    }
}

}  // namespace
}  // namespace weir::smtp
