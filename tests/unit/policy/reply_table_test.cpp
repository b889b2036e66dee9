#include "reply_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "plain_text.hpp"

namespace weir::policy {
namespace {

std::vector<Row> read(std::string_view text) {
    int bad_line = 0;
    return parse_table(text, "t.txt", bad_line).value();
}

int bad_line_of(std::string_view text) {
    int bad_line = 0;
    return parse_table(text, "t.txt", bad_line).has_error() ? bad_line : 0;
}

TEST(ReplyTable, ReadsRowsWithConditionsAndPlaces) {
    const auto rows =
        read("# a table\n\nrate/host  421,5xx,4.7.500-699,*.7.28,@rcpt,wait=2s  too  many\r\nauth/account - *\n");
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].reply_class, ReplyClass::rate);
    EXPECT_EQ(rows[0].scope, Scope::host);
    EXPECT_EQ(rows[0].pattern, "too  many");
    EXPECT_EQ(rows[0].wait, std::chrono::seconds(2));
    EXPECT_EQ(rows[0].place, "t.txt:3");
    EXPECT_EQ(rows[0].weight, 0);
    EXPECT_EQ(rows[1].pattern, "");
    EXPECT_EQ(rows[1].place, "t.txt:4");
}

TEST(ReplyTable, PutsWordListsIntoPatterns) {
    const auto rows = read("a = x|y\nb   = z|<a>\nrate/host - <a> and <b>\n");
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].pattern, "(x|y) and (z|(x|y))");
}

TEST(ReplyTable, TakesLinesThatBeginWithABlankForFurtherAlternatives) {
    const auto rows = read("a = x\n    y\nrate/host - b\n            <a>c\n\n  d\n");
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].pattern, "b|(x|y)c|d");
    EXPECT_EQ(bad_line_of("  d\n"), 1);
    EXPECT_EQ(bad_line_of("rate/host 535 *\n  d\n"), 2) << "any text has no alternatives";
}

TEST(ReplyTable, GivesTheRowsThatFollowTheirWeight) {
    const auto rows = read("weight 8\nrate/host - a\nweight 2\nlikely\nrate/host - b\n");
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].weight, 8);
    EXPECT_FALSE(rows[0].only_likely);
    EXPECT_EQ(rows[1].weight, 2);
    EXPECT_TRUE(rows[1].only_likely);
}

TEST(ReplyTable, NamesTheLineThatIsNone) {
    EXPECT_EQ(bad_line_of("rate/host - a\nspeed/host - a\n"), 2);
    EXPECT_EQ(bad_line_of("rate/planet - a\n"), 1);
    EXPECT_EQ(bad_line_of("rate - a\n"), 1);
    EXPECT_EQ(bad_line_of("rate/host -\n"), 1);
    EXPECT_EQ(bad_line_of("rate/host 42 a\n"), 1);
    EXPECT_EQ(bad_line_of("rate/host @lunch a\n"), 1);
    EXPECT_EQ(bad_line_of("rate/host 4.7 a\n"), 1);
    EXPECT_EQ(bad_line_of("rate/host 4.7.9-1 a\n"), 1);
    EXPECT_EQ(bad_line_of("rate/host wait=soon a\n"), 1);
    EXPECT_EQ(bad_line_of("rate/host - <unknown>\n"), 1);
    EXPECT_EQ(bad_line_of("a = x\na = y\n"), 2);
    EXPECT_EQ(bad_line_of("weight much\n"), 1);
}

TEST(ReplyTable, AsksOneConditionOfEachKind) {
    const Conditions when = read("rate/host 421,450,4.7.*,@mail,@rcpt a\n")[0].when;
    const std::array<int, 3> status{4, 7, 1};
    EXPECT_TRUE(when.are_met(421, status, Stage::mail));
    EXPECT_TRUE(when.are_met(450, status, Stage::rcpt));
    EXPECT_FALSE(when.are_met(451, status, Stage::rcpt));
    EXPECT_FALSE(when.are_met(421, std::array<int, 3>{4, 8, 1}, Stage::mail));
    EXPECT_FALSE(when.are_met(421, std::nullopt, Stage::mail));
    EXPECT_FALSE(when.are_met(421, status, Stage::unknown));
    EXPECT_TRUE(read("rate/host - a\n")[0].when.are_met(999, std::nullopt, Stage::unknown));
}

TEST(ReplyTable, AllBuiltInTablesAreRead) {
    for (const BuiltInTable& table : built_in_tables) {
        int bad_line = 0;
        const auto rows = parse_table(table.text, table.name, bad_line);
        ASSERT_TRUE(rows.has_value()) << table.name << ':' << bad_line;
        EXPECT_FALSE(rows->empty()) << table.name;
    }
}

TEST(ReplyTable, NoRowOfNumbersAloneSaysRate) {
    for (const Row& row : read(built_in_tables[2].text)) {
        EXPECT_TRUE(row.reply_class != ReplyClass::rate || row.only_likely) << row.place;
    }
}

TEST(PlainText, IsOneLineInLowerCaseWithoutAccents) {
    EXPECT_EQ(plain_text("  Trop\tde\r\nCONNEXIONS  "), "trop de connexions");
    EXPECT_EQ(plain_text("d\xc3\xa9pass\xc3\xa9 \xc3\x9c"
                         "ber"),
              "depasse uber");
    EXPECT_EQ(plain_text("d\xe9pass\xe9"), "depasse");
    EXPECT_EQ(plain_text("\xe4\xbd\xa0"), "a??");
    EXPECT_EQ(plain_text("caf\xc3"), "cafa");
}

TEST(PlainText, HasOnlyTheDomainsOfMailboxes) {
    EXPECT_EQ(plain_text("<spam.trap+x@Example.com>: no"), "<@example.com>: no");
    EXPECT_EQ(plain_text("user too-many@example.com unknown"), "user @example.com unknown");
}

TEST(PlainText, EndsAfterFourKibibytes) {
    EXPECT_EQ(plain_text(std::string(100'000, 'a')).size(), longest_reply_text);
}

TEST(PhraseText, HasNoUrlsAndSignsForPostfixOpenings) {
    EXPECT_EQ(phrase_text("see https://example.com/spam?a=b for more"), "see  for more");
    EXPECT_EQ(phrase_text("see <http://example.com/spam>."), "see <>.");
    EXPECT_EQ(phrase_text("<@example.com>: recipient address rejected: too fast"), "<@>: $r: too fast");
    EXPECT_EQ(phrase_text("client host rejected: no"), "$c: no");
}

TEST(PhraseText, IsTheSameForRepliesThatDifferInNothingElse) {
    EXPECT_EQ(phrase_text("mail from 192.0.2.25 to @a.example: 1500 of 1400 (4jyr2m5dfhz1)"),
              phrase_text("mail from 198.51.100.7 to @b.example: 2000 of 1999 (b9caaa9230e)"));
    EXPECT_EQ(phrase_text("[192.0.2.25]:25 said 24 hours"), "[0.0.0.0]:25 said 24 hours");
    EXPECT_EQ(phrase_text("4.16.55.1 and 1.2.3"), "0.0.0.0 and 1.2.3");
}

}  // namespace
}  // namespace weir::policy
