#include "weir/policy/reply_facts.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::policy {
namespace {

TEST(FindStatus, LooksAtTheStartAndInBracketsAtTheEnd) {
    EXPECT_EQ(find_status("4.7.1 no"), "4.7.1");
    EXPECT_EQ(find_status("  5.7.139 no"), "5.7.139");
    EXPECT_EQ(find_status("#5.7.1 no"), "5.7.1");
    EXPECT_EQ(find_status("5.1.1"), "5.1.1");
    EXPECT_EQ(find_status("sorry (#4.3.0)"), "4.3.0");
    EXPECT_EQ(find_status("sorry (#4.3.0)."), "4.3.0");
    EXPECT_EQ(find_status("5.1.1: no"), "5.1.1");
}

TEST(FindStatus, TakesNoOtherNumberForOne) {
    for (const char* text :
         {"", "5", "5.", "5.1", "5.1.", "3.1.1 no", "5.1111.1 no", "4.16.55.1 see page", "192.0.2.1 no",
          "see [#4.16.1].", "no 5.7.1 here", "(#4.3.0) first", "(#4.3.0 )", "(#)", "535 KB", "5.7.x"}) {
        EXPECT_EQ(find_status(text), "") << text;
    }
}

TEST(WithoutStatus, LeavesTheText) {
    EXPECT_EQ(without_status("4.7.1 no"), "no");
    EXPECT_EQ(without_status("#5.7.1 no"), "no");
    EXPECT_EQ(without_status("# of messages"), "# of messages");
    EXPECT_EQ(without_status("sorry (#4.3.0)"), "sorry (#4.3.0)");
    EXPECT_EQ(without_status("5.1.1"), "");
}

TEST(SplitLines, TakesARepeatedStatusOffEachLine) {
    const std::vector<std::string> lines{"5.7.1 first", "5.7.1 second", "third"};
    const ReplyText reply = split_lines(lines);
    EXPECT_EQ(reply.enhanced_status, "5.7.1");
    EXPECT_EQ(reply.text, "first\nsecond\nthird");
}

TEST(SplitLines, ManagesWithoutStatusAndWithoutLines) {
    EXPECT_EQ(split_lines(std::vector<std::string>{}).text, "");
    EXPECT_EQ(split_lines(std::vector<std::string>{""}).text, "");
    const ReplyText reply = split_lines(std::vector<std::string>{"hello", "", "world"});
    EXPECT_EQ(reply.text, "hello\n\nworld");
    EXPECT_EQ(reply.enhanced_status, "");
}

TEST(StageNames, ReadBackAsTheyAreWritten) {
    for (const Stage stage :
         {Stage::unknown, Stage::connect, Stage::ehlo, Stage::auth, Stage::mail, Stage::rcpt, Stage::data}) {
        EXPECT_EQ(parse_stage(to_string(stage)), stage);
    }
    EXPECT_EQ(parse_stage("greeting"), std::nullopt);
}

}  // namespace
}  // namespace weir::policy
