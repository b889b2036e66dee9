#include "weir/smtp/request_deadline.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "weir/smtp/server_session.hpp"

namespace weir::smtp {
namespace {

using namespace std::chrono_literals;

TEST(RequestDeadline, IsOneForAllOfACommandHoweverManyBytesItComesIn) {
    RequestDeadline deadline;
    deadline.begin_command(300s);
    for (int i = 0; i < 29; ++i) deadline.spent(10s, 1);
    EXPECT_EQ(deadline.left(), 10s);
    deadline.spent(11s, 1000);
    EXPECT_EQ(deadline.left(), 0s);
    deadline.begin_command(300s);
    EXPECT_EQ(deadline.left(), 300s);
}

TEST(RequestDeadline, LetsABodyOfAnySizePassAtTheRate) {
    RequestDeadline deadline;
    deadline.begin_body(180s, 500);
    for (int i = 0; i < 10'000; ++i) deadline.spent(100s, 50'000);
    EXPECT_EQ(deadline.left(), 180s);
}

TEST(RequestDeadline, EndsABodyThatDripsAlthoughItIsNeverSilent) {
    RequestDeadline deadline;
    deadline.begin_body(180s, 500);
    int bytes = 0;
    for (; deadline.left() > 10s; ++bytes) deadline.spent(10s, 1);
    EXPECT_EQ(bytes, 18);
}

TEST(RequestDeadline, SavesUpNothingBeyondTheTimeout) {
    RequestDeadline deadline;
    deadline.begin_body(180s, 500);
    deadline.spent(1s, 100'000'000);
    EXPECT_EQ(deadline.left(), 180s);
    deadline.spent(181s, 0);
    EXPECT_EQ(deadline.left(), 0s);
}

TEST(RequestDeadline, WithoutARateIsForEachReadOfABody) {
    RequestDeadline deadline;
    deadline.begin_body(180s, 0);
    for (int i = 0; i < 100; ++i) deadline.spent(179s, 1);
    EXPECT_EQ(deadline.left(), 180s);
}

/// What the session waits with next, once it has nothing else to do.
Read next_read(ServerSession& session) {
    for (;;) {
        const Action action = session.next();
        if (const auto* read = std::get_if<Read>(&action)) return *read;
        if (const auto* mail = std::get_if<AskMail>(&action)) session.answer(mail->slot, {250, "ok"});
        if (const auto* rcpt = std::get_if<AskRcpt>(&action)) session.answer(rcpt->slot, {250, "ok"});
        if (const auto* data = std::get_if<AskData>(&action)) session.answer(data->slot, {354, "go"});
        if (const auto* end = std::get_if<EndOfBody>(&action)) session.answer(end->slot, {250, "ok"});
    }
}

TEST(ServerSession, GivesEachRequestItsOwnTimeAndNoMore) {
    ServerSession session({.hostname = "weir.test", .offer = {}});
    Read read = next_read(session);
    EXPECT_TRUE(read.begins);
    EXPECT_EQ(read.timeout, 300s);
    session.feed("NO", 100s);
    read = next_read(session);
    EXPECT_FALSE(read.begins);
    EXPECT_EQ(read.timeout, 200s);
    session.feed("OP\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.ex", 199s);
    read = next_read(session);
    EXPECT_TRUE(read.begins) << "commands have been answered since";
    EXPECT_EQ(read.timeout, 300s);
    session.feed("ample>\r\nDATA\r\n", 299s);
    read = next_read(session);
    EXPECT_TRUE(read.begins);
    EXPECT_EQ(read.timeout, 180s);
    session.feed("x", 170s);
    EXPECT_LT(next_read(session).timeout, 11s);
    const std::string long_line(10'000, 'x');  // fed bytes must outlive the calls of next() that pass them on
    session.feed(long_line, 1s);
    EXPECT_GT(next_read(session).timeout, 25s) << "20 s have been bought";
    session.feed("\r\n.\r\n", 1s);
    EXPECT_EQ(next_read(session).timeout, 300s);
}

}  // namespace
}  // namespace weir::smtp
