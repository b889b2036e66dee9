#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "weir/smtp/command.hpp"

namespace weir::smtp {

bool operator==(const Parameter& left, const Parameter& right) {
    return left.keyword == right.keyword && left.value == right.value;
}

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

PathArgument parse(std::string_view argument) {
    PathArgument out;
    EXPECT_EQ(parse_path(argument, "FROM:", out), PathError::none) << argument;
    return out;
}

PathError error_of(std::string_view argument) {
    PathArgument out;
    return parse_path(argument, "FROM:", out);
}

TEST(ParsePath, TakesWhatPostfixSends) {
    EXPECT_EQ(parse("FROM:<a@x.example>").path, "a@x.example");
    EXPECT_EQ(parse("FROM:<>").path, "");
    EXPECT_EQ(parse("from: <a@b>").path, "a@b");
    EXPECT_EQ(parse("FROM:<double-bounce@mail.example>").path, "double-bounce@mail.example");
    EXPECT_EQ(parse("FROM:<a+b=c=d@x.example>").path, "a+b=c=d@x.example");
    EXPECT_EQ(parse("FROM:<prvs=1#a/b!c%d@x>").path, "prvs=1#a/b!c%d@x");
    EXPECT_EQ(parse("FROM:<postmaster>").path, "postmaster");
    EXPECT_EQ(parse("FROM:<a@[192.0.2.1]>").path, "a@[192.0.2.1]");
    EXPECT_EQ(parse("FROM:<a@[IPv6:2001:db8::1]>").path, "a@[IPv6:2001:db8::1]");
    EXPECT_EQ(parse("FROM:<b\xc3\xbc"
                    "cher@b\xc3\xbc"
                    "cher.example>")
                  .path,
              "b\xc3\xbc"
              "cher@b\xc3\xbc"
              "cher.example");
}

TEST(ParsePath, LetsAQuotedLocalPartHoldAnything) {
    EXPECT_EQ(parse(R"(FROM:<"a b"@x>)").path, R"("a b"@x)");
    EXPECT_EQ(parse(R"(FROM:<"a>b<c"@x> SIZE=1)").path, R"("a>b<c"@x)");
    EXPECT_EQ(parse(R"(FROM:<"a\"> SIZE=2"@x> SIZE=1)").path, R"("a\"> SIZE=2"@x)");
    EXPECT_EQ(parse(R"(FROM:<"a@b"@x>)").path, R"("a@b"@x)");
}

TEST(ParsePath, IgnoresASourceRoute) {
    EXPECT_EQ(parse("FROM:<@r.example:a@b>").path, "a@b");
    EXPECT_EQ(parse("FROM:<@r.example,@s.example:a@b>").path, "a@b");
}

TEST(ParsePath, RefusesARouteThatTakesHalfOfAQuotedStringAlong) {
    EXPECT_EQ(error_of(R"(FROM:<@":"x@y>)"), PathError::bad_address) << "the relay would get <\"x@y>";
    EXPECT_EQ(error_of(R"(FROM:<@"a":x@y>)"), PathError::bad_address);
    EXPECT_EQ(error_of("FROM:<@[IPv6:2001:db8::1]:a@b>"), PathError::bad_address);
    EXPECT_EQ(parse(R"(FROM:<@r.example:"a:b"@c>)").path, R"("a:b"@c)");
}

TEST(ParsePath, TakesNothingButEmptyBracketsForTheNullSender) {
    EXPECT_EQ(error_of("FROM:<@a:>"), PathError::bad_address);
    EXPECT_EQ(error_of("FROM:<@>"), PathError::bad_address);
    EXPECT_EQ(error_of("FROM:< >"), PathError::syntax);
}

TEST(ParsePath, RefusesBrokenSyntax) {
    for (const char* argument : {"",
                                 "FROM",
                                 "FROM:",
                                 "FROM:a@b",
                                 "TO:<a@b>",
                                 "FROM:<a@b",
                                 "FROM:a@b>",
                                 "FROM:<a b@c>",
                                 "FROM:<a<b@c>",
                                 "FROM:<a@b>SIZE=1",
                                 "FROM:<a@b>>",
                                 R"(FROM:<"a@b>)",
                                 R"(FROM:<"a\)",
                                 R"(FROM:<a\>b@c>)",
                                 R"(FROM:<a\@c>)",
                                 "FROM:<a\x01@b>",
                                 "FROM:<a@b\x7f>",
                                 "FROM:<\"a\x1b\"@b>",
                                 "FROM:<\"a\\\x1b\"@b>",
                                 "FROM:<a@b>\nRCPT TO:<c@d>",
                                 "FROM:<a@b\rRCPT TO:<c@d>>"}) {
        EXPECT_EQ(error_of(argument), PathError::syntax) << argument;
    }
    EXPECT_EQ(error_of(std::string_view("FROM:<a\0@b>", 11)), PathError::syntax);
}

TEST(ParsePath, RefusesWhatIsNoMailbox) {
    for (const char* argument :
         {"FROM:<a@>", "FROM:<@b>", R"(FROM:<a@"b">)", "FROM:<a@b,c>", "FROM:<a@b;c>", "FROM:<a@b:25>", "FROM:<a@(b)>",
          "FROM:<b\xfc"
          "cher@x>",
          "FROM:<@b\xfc:a@x>"}) {
        EXPECT_EQ(error_of(argument), PathError::bad_address) << argument;
    }
    EXPECT_EQ(error_of("FROM:<" + std::string(1000, 'a') + "@b>"), PathError::bad_address);
    EXPECT_EQ(parse("FROM:<" + std::string(800, 'a') + "@b>").path.size(), 802U);
}

TEST(ParsePath, ListsTheParameters) {
    const auto parameters = parse("FROM:<a@b> SIZE=315  BODY=8BITMIME SMTPUTF8 ENVID=a+2Bb ").parameters;
    EXPECT_THAT(parameters, ElementsAre(Parameter{"SIZE", "315"}, Parameter{"BODY", "8BITMIME"},
                                        Parameter{"SMTPUTF8", ""}, Parameter{"ENVID", "a+2Bb"}));
    EXPECT_THAT(parse("FROM:<a@b>").parameters, IsEmpty());
    const PathArgument argument = parse("FROM:<a@b> size=1");
    EXPECT_TRUE(argument.has("SIZE"));
    EXPECT_FALSE(argument.has("SIZ"));
}

TEST(ParsePath, ForgetsTheParametersOfTheLineBefore) {
    PathArgument out;
    ASSERT_EQ(parse_path("FROM:<a@b> SIZE=1", "FROM:", out), PathError::none);
    ASSERT_EQ(parse_path("FROM:<a@b>", "FROM:", out), PathError::none);
    EXPECT_THAT(out.parameters, IsEmpty());
}

TEST(ParsePath, RefusesBrokenParameters) {
    for (const char* rest :
         {"SIZE=", "=1", "SIZE=1 size=2", "SIZE=1=2", "SI_ZE=1", "-X=1", "A=\x01", "A=\x7f", "S\xc3\xbc=1", "X=\xfc"}) {
        EXPECT_EQ(error_of("FROM:<a@b> " + std::string(rest)), PathError::bad_parameter) << rest;
    }
    std::string many = "FROM:<a@b>";
    for (int i = 0; i < 16; ++i) many += " X" + std::to_string(i) + "=1";
    EXPECT_EQ(error_of(many), PathError::none);
    EXPECT_EQ(error_of(many + " Y=1"), PathError::bad_parameter);
}

}  // namespace
}  // namespace weir::smtp
