#include "weir/smtp/reply.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::smtp {
namespace {

using namespace std::string_literals;
using core::Errc;
using testing::ElementsAre;

/// Feeds `wire` in pieces of `piece` bytes.
core::Result<std::vector<Reply>> parse(std::string_view wire, std::size_t piece = std::string_view::npos) {
    ReplyParser parser;
    std::vector<Reply> replies;
    while (!wire.empty()) {
        std::string_view next = wire.substr(0, piece);
        wire.remove_prefix(next.size());
        while (!next.empty()) {
            const auto used = parser.feed(next);
            if (!used) return used.error();
            next.remove_prefix(*used);
            if (parser.ready()) replies.push_back(parser.take());
        }
    }
    return replies;
}

core::Error error_of(std::string_view wire) {
    return parse(wire).error();
}

Reply reply(int code, std::vector<std::string> lines) {
    Reply result;
    result.code = code;
    result.lines = std::move(lines);
    return result;
}

TEST(ReplyParser, ReadsTheFormsOfAReply) {
    EXPECT_THAT(parse("250 2.1.0 OK\r\n").value(), ElementsAre(reply(250, {"2.1.0 OK"})));
    EXPECT_THAT(parse("250\r\n").value(), ElementsAre(reply(250, {""})));
    EXPECT_THAT(parse("250 \r\n").value(), ElementsAre(reply(250, {""})));
    EXPECT_THAT(parse("451-4.7.1 slow\r\n451-\r\n451 4.7.1 down\r\n").value(),
                ElementsAre(reply(451, {"4.7.1 slow", "", "4.7.1 down"})));
    EXPECT_THAT(parse("451-a\r\n451\r\n").value(), ElementsAre(reply(451, {"a", ""})));
    EXPECT_THAT(parse("550 b\xfc"
                      "cher\r\n")
                    .value(),
                ElementsAre(reply(550, {"b\xfc"
                                        "cher"})));
    EXPECT_THAT(parse("250 a\r\n354 b\r\n421 c\r\n").value(),
                ElementsAre(reply(250, {"a"}), reply(354, {"b"}), reply(421, {"c"})));
}

TEST(ReplyParser, ReadsTheSameHoweverTheBytesAreCut) {
    const std::string wire = "250-a.example\r\n250-SIZE 1000\r\n250 DSN\r\n451 4.7.1 b\r\n354\r\n";
    const auto whole = parse(wire).value();
    for (std::size_t piece = 1; piece < wire.size(); ++piece) EXPECT_EQ(parse(wire, piece).value(), whole) << piece;
}

TEST(ReplyParser, RefusesWhatIsNotAReply) {
    for (const char* wire : {"\r\n",
                             "25\r\n",
                             "garbage\r\n",
                             "2500 x\r\n",
                             "250x\r\n",
                             "250_x\r\n",
                             "150 x\r\n",
                             "600 x\r\n",
                             "099 x\r\n",
                             " 250 x\r\n",
                             "-250 x\r\n",
                             "25a x\r\n",
                             "250 bare lf\n",
                             "250 a\nb\r\n",
                             "250 a\rb\r\n",
                             "250 a\r\r\n",
                             "250-a\r\n251 b\r\n",
                             "250-a\r\ngarbage\r\n",
                             "HTTP/1.1 200 OK\r\n",
                             "\x15\x03\x01\r\n"}) {
        EXPECT_EQ(error_of(wire), Errc::bad_reply) << testing::PrintToString(wire);
    }
    EXPECT_EQ(error_of("250 a\0b\r\n"s), Errc::bad_reply);
}

TEST(ReplyParser, TakesALineOfTwoThousandCharactersAndNoMore) {
    EXPECT_EQ(parse("250 " + std::string(1996, 'x') + "\r\n").value().at(0).lines[0].size(), 1996U);
    EXPECT_EQ(error_of("250 " + std::string(1997, 'x') + "\r\n"), Errc::line_too_long);
}

TEST(ReplyParser, GivesUpOnALineThatNeverEnds) {
    ReplyParser parser;
    std::size_t fed = 0;
    while (fed < 3000 && parser.feed("x")) ++fed;
    EXPECT_EQ(fed, 2001U) << "2,000 characters and what might be the CR";
}

TEST(ReplyParser, TakesAHundredLinesAndNoMore) {
    std::string wire;
    for (int i = 0; i < 99; ++i) wire += "250-x\r\n";
    EXPECT_EQ(parse(wire + "250 x\r\n").value().at(0).lines.size(), 100U);
    EXPECT_EQ(error_of(wire + "250-x\r\n250 x\r\n"), Errc::line_too_long);
}

TEST(ReplyParser, TakesSixteenKibibytesAndNoMore) {
    std::string wire;
    for (int i = 0; i < 8; ++i) wire += "250-" + std::string(1900, 'x') + "\r\n";
    EXPECT_TRUE(parse(wire + "250 x\r\n"));
    EXPECT_EQ(error_of(wire + "250-" + std::string(1900, 'x') + "\r\n"), Errc::line_too_long);
    EXPECT_TRUE(parse(wire + "250 x\r\n" + wire + "250 x\r\n")) << "the limit is for one reply";
}

TEST(ReplyParser, KnowsWhetherAReplyHasBegun) {
    ReplyParser parser;
    EXPECT_TRUE(parser.empty());
    (void)parser.feed("2");
    EXPECT_FALSE(parser.empty());
    (void)parser.feed("50-a\r\n");
    EXPECT_FALSE(parser.empty());
    (void)parser.feed("250 b\r\n");
    (void)parser.take();
    EXPECT_TRUE(parser.empty());
}

TEST(Reply, WritesWhatItRead) {
    for (const char* wire : {"250 2.1.0 OK\r\n", "451-a\r\n451-\r\n451 b\r\n", "354 \r\n", "250 tab\there\r\n"}) {
        EXPECT_EQ(parse(wire).value().at(0).wire(), wire);
    }
    EXPECT_EQ(reply(250, {}).wire(), "250 \r\n");
}

TEST(Reply, LetsNoControlCharacterOut) {
    const Reply nasty(550, "a\r\n250 b\0\x1b[31m\x7f"s);
    EXPECT_EQ(nasty.wire(), "550 a??250 b??[31m?\r\n");
    EXPECT_EQ(nasty.summary(), "550 a??250 b??[31m?");
}

TEST(Reply, IsSummedUpByItsFirstLine) {
    EXPECT_EQ(reply(451, {"4.7.1 a", "4.7.1 b"}).summary(), "451 4.7.1 a");
    EXPECT_EQ(reply(451, {""}).summary(), "451");
    EXPECT_EQ(reply(451, {}).summary(), "451");
}

TEST(Reply, KnowsItsClass) {
    EXPECT_TRUE(Reply(250, "").is_positive());
    EXPECT_FALSE(Reply(354, "").is_positive());
    EXPECT_TRUE(Reply(451, "").is_transient());
    EXPECT_FALSE(Reply(550, "").is_transient());
    EXPECT_TRUE(Reply(550, "").is_permanent());
    EXPECT_FALSE(Reply(451, "").is_permanent());
}

}  // namespace
}  // namespace weir::smtp
