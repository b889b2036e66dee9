#include "weir/telemetry/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <sstream>
#include <thread>
#include <vector>

#include "test_pipe.hpp"

namespace weir::telemetry {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::MatchesRegex;

constexpr auto reply = R"(451 4.7.1 weir: client 203.0.113.9 is over "client" (60/min messages); next slot in 42 s)";

TransactionRecord held_transaction() {
    return {.session = 17,
            .lane = "default",
            .client = "203.0.113.9",
            .queue_id = "4jYR2m5dFHz1cY4G",
            .ident = "4jYR2m5dFHz1cY4G",
            .sender = "a@x.example",
            .recipients_accepted = 3,
            .bytes = 4096,
            .outcome = Outcome::held,
            .reason = "limit",
            .limit = "client",
            .ref = 0x4F2A9C,
            .reply = reply,
            .duration = 12ms};
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

/// The line without its time.
std::string after_time(const std::string& line) {
    return line.substr(line.find(' ') + 1);
}

TEST(Log, TellsATransactionInPostfixWords) {
    const TestPipe pipe;
    Log log(Level::info, Format::text, pipe.write_end());
    log.transaction(held_transaction());
    EXPECT_EQ(after_time(pipe.read_all()),
              "info held queue_id=4jYR2m5dFHz1cY4G ident=4jYR2m5dFHz1cY4G session=17 client=203.0.113.9 lane=default "
              "from=<a@x.example> nrcpt=3 refused=0 size=4096 reason=limit limit=client ref=4F2A9C duration=0.012 "
              R"(reply="451 4.7.1 weir: client 203.0.113.9 is over \"client\" (60/min messages); next slot in 42 s")"
              "\n");
}

TEST(Log, BeginsALineWithTheTimeInUtc) {
    const TestPipe pipe;
    Log log(Level::info, Format::text, pipe.write_end());
    log.event(Level::warning, "words");
    EXPECT_THAT(pipe.read_all(), MatchesRegex("20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]"
                                              "\\.[0-9]{3}Z warning words\n"));
}

TEST(Log, NamesTheNullSenderAndLeavesOutWhatIsNotKnown) {
    const TestPipe pipe;
    Log log(Level::info, Format::text, pipe.write_end());
    log.transaction({.session = 1, .lane = "default", .client = "local", .outcome = Outcome::aborted});
    EXPECT_EQ(after_time(pipe.read_all()),
              "info aborted session=1 client=local lane=default from=<> nrcpt=0 refused=0 size=0 duration=0.000\n");
}

TEST(Log, WritesJsonWithTheSameNamesAndNumbersAsNumbers) {
    const TestPipe pipe;
    Log log(Level::info, Format::json, pipe.write_end());
    log.transaction(held_transaction());
    const auto line = boost::json::parse(pipe.read_all()).as_object();
    EXPECT_EQ(line.at("level"), "info");
    EXPECT_EQ(line.at("event"), "held");
    EXPECT_EQ(line.at("queue_id"), "4jYR2m5dFHz1cY4G");
    EXPECT_EQ(line.at("from"), "<a@x.example>");
    EXPECT_EQ(line.at("nrcpt"), 3);
    EXPECT_EQ(line.at("size"), 4096);
    EXPECT_EQ(line.at("ref"), "4F2A9C");
    EXPECT_DOUBLE_EQ(line.at("duration").as_double(), 0.012);
    EXPECT_EQ(line.at("reply"), reply);
    EXPECT_FALSE(line.contains("login"));
}

TEST(Log, WritesOneParsableLineWhateverAPeerSends) {
    const TestPipe pipe(TestPipe::big);
    Log log(Level::info, Format::json, pipe.write_end());
    std::string every_byte;
    for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
    log.transaction({.client = every_byte, .sender = every_byte, .first_recipient = every_byte, .reply = every_byte});
    log.event(Level::error, "relay said \"" + every_byte);
    const auto lines = lines_of(pipe.read_all());
    ASSERT_EQ(lines.size(), 2U);
    for (const auto& line : lines) EXPECT_TRUE(boost::json::parse(line).is_object());
}

TEST(Log, DoesNotLetAPeerForgeALine) {
    const TestPipe pipe;
    Log log(Level::info, Format::text, pipe.write_end());
    log.transaction({.sender = "x\n2026-11-24T04:00:00.123Z info relayed queue_id=FORGED"});
    EXPECT_EQ(lines_of(pipe.read_all()).size(), 1U);
}

TEST(Log, IsSilentBelowItsLevel) {
    const TestPipe pipe;
    Log log(Level::warning, Format::text, pipe.write_end());
    log.transaction(held_transaction());
    log.event(Level::info, "started");
    EXPECT_EQ(pipe.read_all(), "");
    log.configure(Level::debug, Format::text);
    log.event(Level::debug, "now");
    EXPECT_THAT(pipe.read_all(), EndsWith("Z debug now\n"));
}

TEST(Log, ChangesItsFormatOnReload) {
    const TestPipe pipe;
    Log log(Level::info, Format::text, pipe.write_end());
    log.configure(Level::info, Format::json);
    log.event(Level::info, "reloaded");
    EXPECT_EQ(boost::json::parse(pipe.read_all()).at("message"), "reloaded");
}

TEST(Log, AsksForOneFlushPerBurst) {
    const TestPipe pipe;
    Log log(Level::info, Format::text, pipe.write_end());
    int asked = 0;
    log.set_flush_scheduler([&asked] { ++asked; });
    log.event(Level::info, "one");
    log.event(Level::info, "two");
    EXPECT_EQ(asked, 1);
    EXPECT_EQ(pipe.read_all(), "");
    log.flush();
    EXPECT_EQ(lines_of(pipe.read_all()).size(), 2U);
    log.event(Level::info, "three");
    EXPECT_EQ(asked, 2);
}

TEST(Log, WritesAtOnceWhenItsSchedulerIsTakenAway) {
    const TestPipe pipe;
    Log log(Level::info, Format::text, pipe.write_end());
    log.set_flush_scheduler([] {});
    log.event(Level::info, "waits");
    log.set_flush_scheduler({});
    EXPECT_EQ(lines_of(pipe.read_all()).size(), 1U);
    log.event(Level::info, "does not");
    EXPECT_EQ(lines_of(pipe.read_all()).size(), 1U);
}

TEST(Log, WritesByItselfWhenMuchHasCollected) {
    const TestPipe pipe(TestPipe::big);
    Log log(Level::info, Format::text, pipe.write_end());
    log.set_flush_scheduler([] {});
    for (int i = 0; i < 100; ++i) log.event(Level::info, std::string(1000, 'x'));
    EXPECT_GE(pipe.read_all().size(), 60'000U);
}

TEST(Log, SaysHowManyLinesWereDroppedWhenNobodyRead) {
    const TestPipe pipe;
    Log log(Level::info, Format::text, pipe.write_end());
    constexpr int sent = 500;
    for (int i = 0; i < sent; ++i) log.event(Level::info, std::string(1000, 'x'));
    std::string text;
    for (std::string part = pipe.read_all(); !part.empty(); part = pipe.read_all()) {
        text += part;
        log.flush();
    }
    const auto arrived = static_cast<int>(lines_of(text).size());
    EXPECT_LT(arrived, sent);
    log.event(Level::info, "back again");
    const auto lines = lines_of(pipe.read_all());
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(after_time(lines[0]),
              "warning " + std::to_string(sent - arrived) + " log lines were dropped here: nobody read standard error");
    EXPECT_THAT(lines[1], EndsWith("back again"));
}

TEST(Log, SaysALineOncePerSecond) {
    const TestPipe pipe;
    Log log(Level::info, Format::text, pipe.write_end());
    for (int i = 0; i < 100; ++i) log.event_limited(Level::warning, "accept", "too many open files");
    EXPECT_LE(lines_of(pipe.read_all()).size(), 2U) << "two, when the second ends in between";
}

TEST(Log, TakesLinesFromManyThreadsWhole) {
    const TestPipe pipe(TestPipe::big);
    Log log(Level::info, Format::json, pipe.write_end());
    log.set_flush_scheduler([] {});
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&log] {
            for (int i = 0; i < 250; ++i) log.transaction(held_transaction());
        });
    }
    threads.clear();
    log.flush();
    const auto lines = lines_of(pipe.read_all());
    ASSERT_EQ(lines.size(), 1000U);
    for (const auto& line : lines) EXPECT_EQ(boost::json::parse(line).at("size"), 4096);
}

}  // namespace
}  // namespace weir::telemetry
