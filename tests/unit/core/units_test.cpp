#include "weir/core/units.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <ostream>
#include <random>

namespace weir::core {
namespace {

using namespace std::chrono_literals;

constexpr Duration day = 24h;

TEST(ParseQuota, ReadsARateAndItsBurst) {
    struct Case {
        const char* text;
        Quota expected;
    };
    const Case cases[] = {
        {"60/min burst 30", {{60, 60s}, 30}},
        {"60/min, burst 30", {{60, 60s}, 30}},
        {"60/min,burst 30", {{60, 60s}, 30}},
        {"60/min ,burst 30", {{60, 60s}, 30}},
        {"  60 / min   burst\t30  ", {{60, 60s}, 30}},
        {"14/s", {{14, 1s}, 14}},
        {"1/sec", {{1, 1s}, 1}},
        {"1/second", {{1, 1s}, 1}},
        {"1/seconds", {{1, 1s}, 1}},
        {"1/m", {{1, 60s}, 1}},
        {"1/minute", {{1, 60s}, 1}},
        {"1/h", {{1, 1h}, 1}},
        {"1/hour", {{1, 1h}, 1}},
        {"50000/day", {{50000, day}, 50000}},
        {"1/d", {{1, day}, 1}},
        {"10/5min", {{10, 5min}, 10}},
        {"10/5 minutes burst 2", {{10, 5min}, 2}},
        {"10/100ms", {{10, 100ms}, 10}},
        {"10/365d", {{10, 365 * day}, 10}},
        {"2k/h", {{2'000, 1h}, 2'000}},
        {"2K/h burst 1M", {{2'000, 1h}, 1'000'000}},
        {"1G/day", {{1'000'000'000, day}, 1'000'000'000}},
        {"1000000000000/day", {{1'000'000'000'000, day}, 1'000'000'000'000}},
        {"5/h burst 500", {{5, 1h}, 500}},
    };
    for (const auto& c : cases) {
        const auto quota = parse_quota(c.text);
        ASSERT_TRUE(quota) << c.text;
        EXPECT_EQ(*quota, c.expected) << c.text;
    }
}

TEST(ParseQuota, CountsBytesInPowersOf1024) {
    EXPECT_EQ(*parse_quota("10M/h burst 50M", Counts::bytes), (Quota{{10U << 20U, 1h}, 50U << 20U}));
    EXPECT_EQ(*parse_quota("10 MB/h", Counts::bytes), (Quota{{10U << 20U, 1h}, 10U << 20U}));
    EXPECT_EQ(*parse_quota("1KiB/s burst 512B", Counts::bytes), (Quota{{1024, 1s}, 512}));
}

TEST(ParseQuota, RefusesWhatIsNotAQuota) {
    const char* const cases[] = {
        "",
        " ",
        "60",
        "/min",
        "60/",
        "60/fortnight",
        "-60/min",
        "+60/min",
        "6.5/min",
        "60/min 30",
        "60/min,30",
        "60/min,",
        "60/min burst",
        "60/min burst x",
        "60 per min",
        "60/min/min",
        "sixty/min",
        "60/min/h",
        "60//min",
        "60/min burst 3 4",
        "60/minburst 3",
        "10m/h",
        "10MB/h",
        "10X/h",
        "60/Min",
        "0x10/min",
        "1e3/min",
        "60/min;burst 3",
        "60/min\n",
        "60/min, , burst 3",
        "burst 3",
        "60/-1min",
        "60/min bursts 3",
        "60/min burst -3",
        "unlimited",
        "18446744073709551616/fortnight",
        "0/fortnight",
    };
    for (const char* text : cases) EXPECT_EQ(parse_quota(text).error(), Errc::bad_syntax) << '"' << text << '"';
    EXPECT_EQ(parse_quota(std::string_view("60/min\0", 7)).error(), Errc::bad_syntax);
}

TEST(ParseQuota, RefusesWhatNoLimitCouldBeKeptAt) {
    const char* const cases[] = {
        "0/min",
        "60/min burst 0",
        "60/0min",
        "1000000000001/day",
        "1001G/day",
        "60/min burst 1000000000001",
        "18446744073709551616/min",
        "18446744073709551615G/min",
        "60/min burst 99999999999999999999",
        "60/99999999999999999999s",
        "60/366d",
        "1/99999999999d",
        "1000000000001/s",
        "1000000001/s",  // faster than the clock ticks
        "2/1ns",
        "1/day burst 36501",  // a century until the bucket is full again
        "1/365d burst 1000000",
    };
    for (const char* text : cases) EXPECT_EQ(parse_quota(text).error(), Errc::out_of_range) << text;
    EXPECT_TRUE(parse_quota("1000000000/s"));
    EXPECT_TRUE(parse_quota("1/day burst 36500"));
}

TEST(FormatRate, SaysItTheWayAnOperatorDoes) {
    EXPECT_EQ(format_rate({60, 60s}), "60/min");
    EXPECT_EQ(format_rate({60, 1s}), "60/s");
    EXPECT_EQ(format_rate({60, 1h}), "60/h");
    EXPECT_EQ(format_rate({50000, day}), "50000/day");
    EXPECT_EQ(format_rate({50000, 24h}), "50000/day");
    EXPECT_EQ(format_rate({5, 7 * day}), "5/7d");
    EXPECT_EQ(format_rate({10, 5min}), "10/5min");
    EXPECT_EQ(format_rate({10, 90s}), "10/90s");
    EXPECT_EQ(format_rate({10, 250ms}), "10/250ms");
    EXPECT_EQ(format_rate({2048, 1h}), "2048/h");
    EXPECT_EQ(format_rate({2048, 1h}, Counts::bytes), "2k/h");
    EXPECT_EQ(format_rate({10U << 20U, 1h}, Counts::bytes), "10M/h");
    EXPECT_EQ(format_rate({std::uint64_t{4096} << 30U, day}, Counts::bytes), "4096G/day");
    EXPECT_EQ(format_rate({1000, day}, Counts::bytes), "1000/day");
}

TEST(FormatRate, DoesNotTripOverARateThatWasNeverSet) {
    EXPECT_EQ(format_rate({}), "0");
    EXPECT_EQ(format_rate({0, 1s}, Counts::bytes), "0/s");
}

TEST(FormatRate, IsReadBackAsTheSameRate) {
    std::mt19937_64 random(20240601);
    const Duration lengths[] = {1ns, 1ms, 1s, 60s, 1h, day};
    for (int i = 0; i < 20'000; ++i) {
        const Duration window = lengths[random() % std::size(lengths)] * static_cast<Duration::rep>(1 + random() % 300);
        const auto most = std::min<std::uint64_t>(1'000'000'000'000, static_cast<std::uint64_t>(window.count()));
        const Rate rate{1 + (random() >> (random() % 64)) % most, window};
        for (const Counts counts : {Counts::things, Counts::bytes}) {
            const std::string text = format_rate(rate, counts);
            const auto quota = parse_quota(text, counts);
            ASSERT_TRUE(quota) << text;
            ASSERT_EQ(quota->rate, rate) << text;
            ASSERT_EQ(quota->burst, rate.count) << text;
        }
    }
}

TEST(ParseDuration, ReadsUnitsFromLongToShort) {
    EXPECT_EQ(*parse_duration("500ms"), 500ms);
    EXPECT_EQ(*parse_duration("42s"), 42s);
    EXPECT_EQ(*parse_duration("5m"), 5min);
    EXPECT_EQ(*parse_duration("5min"), 5min);
    EXPECT_EQ(*parse_duration("5 min"), 5min);
    EXPECT_EQ(*parse_duration("1h"), 1h);
    EXPECT_EQ(*parse_duration("2d"), 48h);
    EXPECT_EQ(*parse_duration("1h30m"), 90min);
    EXPECT_EQ(*parse_duration("1 h 30 m"), 90min);
    EXPECT_EQ(*parse_duration("1d2h3m4s5ms"), 26h + 3min + 4s + 5ms);
    EXPECT_EQ(*parse_duration("0"), 0s);
    EXPECT_EQ(*parse_duration("0s"), 0s);
    EXPECT_EQ(*parse_duration("106751d"), 106751 * day);
}

TEST(ParseDuration, RefusesANumberThatDoesNotSayItsUnit) {
    for (const char* text : {"", "30", "00", " 0", "s", "-5s", "+5s", "1.5h", "5m1h", "5m5m", "5m30", "1h30", "5x",
                             "5S", "5s,", "5s 3", "forever", "1h-30m", "99999999999999999999x"}) {
        const auto duration = parse_duration(text);
        EXPECT_TRUE(duration.has_error()) << '"' << text << '"';
    }
}

TEST(ParseDuration, RefusesWhatNanosecondsCannotCount) {
    for (const char* text :
         {"106752d", "106751d24h", "18446744073709551616s", "18446744073709551615d", "9223372037s"}) {
        EXPECT_EQ(parse_duration(text).error(), Errc::out_of_range) << text;
    }
}

TEST(FormatWait, RoundsUpSoThatNobodyRetriesTooEarly) {
    struct Case {
        Duration wait;
        const char* expected;
    };
    const Case cases[] = {
        {-5s, "0 s"},          {0s, "0 s"},           {1ns, "1 s"},
        {1s, "1 s"},           {1s + 1ns, "2 s"},     {42s, "42 s"},
        {119s, "119 s"},       {119s + 1ns, "2 min"}, {120s, "2 min"},
        {121s, "3 min"},       {7min, "7 min"},       {119min, "119 min"},
        {119min + 1ns, "2 h"}, {2h, "2 h"},           {2h + 1s, "3 h"},
        {47h, "47 h"},         {47h + 1ns, "2 d"},    {48h, "2 d"},
        {48h + 1ms, "3 d"},    {72h, "3 d"},          {Duration::max(), "106752 d"},
    };
    for (const auto& c : cases) EXPECT_EQ(format_wait(c.wait), c.expected) << c.wait.count();
}

TEST(FormatWait, NeverPromisesLessThanTheWait) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 20'000; ++i) {
        const Duration wait(static_cast<Duration::rep>((random() >> 1U) >> (random() % 63)));
        const auto promised = parse_duration(format_wait(wait));
        if (!promised) continue;  // the last day that nanoseconds can count
        ASSERT_GE(*promised, wait) << wait.count();
        ASSERT_LE(*promised - wait, std::max<Duration>(1s, wait / 2)) << wait.count();
    }
}

TEST(ParseBytes, TakesTheSpellingsPeopleUse) {
    struct Case {
        const char* text;
        std::uint64_t expected;
    };
    const Case cases[] = {
        {"0", 0},
        {"4096", 4096},
        {"4096B", 4096},
        {"64k", 65536},
        {"64K", 65536},
        {"64kB", 65536},
        {"64KiB", 65536},
        {"64 kib", 65536},
        {"10M", 10U << 20U},
        {"10m", 10U << 20U},
        {"10MB", 10U << 20U},
        {"10MiB", 10U << 20U},
        {"1G", 1U << 30U},
        {"1GB", 1U << 30U},
        {"18446744073709551614", std::numeric_limits<std::uint64_t>::max() - 1},
    };
    for (const auto& c : cases) {
        const auto bytes = parse_bytes(c.text);
        ASSERT_TRUE(bytes) << c.text;
        EXPECT_EQ(*bytes, c.expected) << c.text;
    }
}

TEST(ParseBytes, RefusesTheRest) {
    for (const char* text :
         {"", "k", "-1", "+1", "1.5M", "10X", "10Ki", "10ib", "10bb", "10kk", "1 2", "1M2", "0x10"}) {
        EXPECT_EQ(parse_bytes(text).error(), Errc::bad_syntax) << '"' << text << '"';
    }
    EXPECT_EQ(parse_bytes("18446744073709551616").error(), Errc::out_of_range);
    EXPECT_EQ(parse_bytes("17179869184G").error(), Errc::out_of_range);
}

TEST(Units, AnyBytesGetAnAnswer) {
    constexpr std::string_view alphabet = "0123456789kMGBib/ ,burstmindayhs\t.-+\n\xff";
    std::mt19937 random(42);
    for (int i = 0; i < 50'000; ++i) {
        std::string text(random() % 24, ' ');
        for (char& c : text) c = alphabet[random() % alphabet.size()];
        for (const Counts counts : {Counts::things, Counts::bytes}) {
            const auto quota = parse_quota(text, counts);
            if (!quota) continue;
            ASSERT_GE(quota->rate.count, 1U) << text;
            ASSERT_GE(quota->burst, 1U) << text;
            ASSERT_GT(quota->rate.per, 0ns) << text;
            ASSERT_EQ(parse_quota(format_rate(quota->rate, counts), counts)->rate, quota->rate) << text;
        }
        static_cast<void>(parse_duration(text));
        static_cast<void>(parse_bytes(text));
    }
}

}  // namespace
}  // namespace weir::core
