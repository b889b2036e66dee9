#include "escape.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

namespace weir::telemetry {
namespace {

using namespace std::string_literals;

std::string text(std::string_view value) {
    Buffer out;
    append_value(out, value);
    return fmt::to_string(out);
}

std::string message(std::string_view value) {
    Buffer out;
    append_message(out, value);
    return fmt::to_string(out);
}

std::string json(std::string_view value) {
    Buffer out;
    append_json(out, value);
    return fmt::to_string(out);
}

struct Case {
    std::string name;
    std::string value;
    std::string as_text;
    std::string as_json;
};

void PrintTo(const Case& c, std::ostream* out) {
    *out << c.name;
}

class Escape : public testing::TestWithParam<Case> {};

TEST_P(Escape, IsUnambiguousInTheTextFormat) {
    EXPECT_EQ(text(GetParam().value), GetParam().as_text);
}

TEST_P(Escape, IsOneJsonString) {
    EXPECT_EQ(json(GetParam().value), GetParam().as_json);
    boost::system::error_code error;
    EXPECT_TRUE(boost::json::parse(json(GetParam().value), error).is_string());
    EXPECT_FALSE(error);
}

TEST_P(Escape, LeavesNothingThatATerminalWouldObey) {
    for (const std::string& line : {text(GetParam().value), json(GetParam().value), message(GetParam().value)}) {
        for (const char c : line) EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7f) << line;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Values, Escape,
    testing::Values(Case{"address", "<a@x.example>", "<a@x.example>", R"("<a@x.example>")"},
                    Case{"empty", "", R"("")", R"("")"}, Case{"blank", "a b", R"("a b")", R"("a b")"},
                    Case{"equals_sign", "prvs=1=a@x", R"("prvs=1=a@x")", R"("prvs=1=a@x")"},
                    Case{"quote", R"(say "hi")", R"("say \"hi\"")", R"("say \"hi\"")"},
                    Case{"backslash", R"(a\b)", R"("a\\b")", R"("a\\b")"},
                    Case{"line_end", "250 ok\r\nheld queue_id=X", R"("250 ok\r\nheld queue_id=X")",
                         R"("250 ok\r\nheld queue_id=X")"},
                    Case{"tab", "a\tb", R"("a\tb")", R"("a\tb")"}, Case{"nul", "a\0b"s, R"("a\x00b")", R"("a\u0000b")"},
                    Case{"colour", "\x1b[31mred", R"("\x1b[31mred")", R"("\u001b[31mred")"},
                    Case{"delete", "\x7f", R"("\x7f")", R"("\u007f")"},
                    Case{"json_injection", "x\"}\n{\"level\":\"error", R"("x\"}\n{\"level\":\"error")",
                         R"("x\"}\n{\"level\":\"error")"},
                    Case{"utf8", "jos\u00e9@x", "\"jos\u00e9@x\"", "\"jos\u00e9@x\""},
                    Case{"four_bytes", "\U0001F4E7", "\"\U0001F4E7\"", "\"\U0001F4E7\""},
                    Case{"latin1", "jos\xe9@x", R"("jos\xe9@x")", R"("jos\\xe9@x")"},
                    Case{"cut_short", "a\xe2\x82", R"("a\xe2\x82")", R"("a\\xe2\\x82")"},
                    Case{"overlong", "\xc0\xaf", R"("\xc0\xaf")", R"("\\xc0\\xaf")"},
                    Case{"overlong_three", "\xe0\x80\xaf", R"("\xe0\x80\xaf")", R"("\\xe0\\x80\\xaf")"},
                    Case{"surrogate", "\xed\xa0\x80", R"("\xed\xa0\x80")", R"("\\xed\\xa0\\x80")"},
                    Case{"above_unicode", "\xf4\x90\x80\x80", R"("\xf4\x90\x80\x80")", R"("\\xf4\\x90\\x80\\x80")"},
                    Case{"c1_control",
                         "\xc2\x9b"
                         "31m",
                         R"("\xc2\x9b31m")", R"("\u009b31m")"},
                    Case{"direction_override", "\u202egpj.exe", R"("\xe2\x80\xaegpj.exe")", R"("\u202egpj.exe")"},
                    Case{"line_separator", "a\u2028b", R"("a\xe2\x80\xa8b")", R"("a\u2028b")"}),
    [](const auto& test) { return test.param.name; });

TEST(EscapeLength, OfAValueIsBounded) {
    const std::string longest(longest_value, 'a');
    EXPECT_EQ(text(longest), longest);
    EXPECT_EQ(text(longest + "b"), '"' + longest + "...\"");
    EXPECT_EQ(json(longest + "b"), '"' + longest + "...\"");
}

TEST(EscapeMessage, KeepsWordsAsTheyAre) {
    EXPECT_EQ(message("listening on 127.0.0.1:10025, lane default"), "listening on 127.0.0.1:10025, lane default");
    EXPECT_EQ(message("peer said \"x\"\n"), R"(peer said \"x\"\n)");
    EXPECT_EQ(message(std::string(2 * longest_message, 'x')).size(), longest_message + 3);
}

TEST(LabelValue, IsShortPrintableUtf8) {
    EXPECT_EQ(label_value("[smtp.isp.example]:587"), "[smtp.isp.example]:587");
    EXPECT_EQ(label_value("a\n\"\xff\u00e9"), "a?\"?\u00e9");
    EXPECT_EQ(label_value(std::string(1000, 'a')).size(), 128U);
    EXPECT_EQ(label_value(std::string(127, 'a') + "\u00e9"), std::string(127, 'a')) << "no half characters";
}

}  // namespace
}  // namespace weir::telemetry
