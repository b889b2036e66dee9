#include "weir/limit/gcra.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace weir::limit {
namespace {

using namespace std::chrono_literals;
using core::Duration;
using core::Quota;
using core::TimePoint;

constexpr TimePoint t0{100h};
constexpr auto year = 365 * 24h;
constexpr std::uint64_t trillion = 1'000'000'000'000;

std::uint64_t count_admitted(Gcra& gcra, TimePoint now, std::uint64_t tries) {
    std::uint64_t admitted = 0;
    for (std::uint64_t i = 0; i < tries; ++i) admitted += gcra.try_acquire(now).admitted ? 1 : 0;
    return admitted;
}

TEST(Gcra, AdmitsTheBurstAndThenOnePerInterval) {
    Gcra gcra({.rate = {.count = 60, .per = 60s}, .burst = 2});
    EXPECT_TRUE(gcra.try_acquire(t0).admitted);
    EXPECT_TRUE(gcra.try_acquire(t0).admitted);
    EXPECT_EQ(gcra.try_acquire(t0).retry_after, 1s);
    EXPECT_TRUE(gcra.try_acquire(t0 + 1s).admitted);
    EXPECT_FALSE(gcra.try_acquire(t0 + 1s).admitted);
}

TEST(Gcra, TellsExactlyWhenTheNextOnePasses) {
    Gcra gcra({.rate = {.count = 7, .per = 60s}, .burst = 3});
    EXPECT_TRUE(gcra.try_acquire(t0, 3).admitted);
    const Duration wait = gcra.try_acquire(t0).retry_after;
    EXPECT_FALSE(gcra.try_acquire(t0 + wait - 1ns).admitted);
    EXPECT_TRUE(gcra.try_acquire(t0 + wait).admitted);
}

TEST(Gcra, NeverAdmitsACostAboveTheBurst) {
    Gcra gcra({.rate = {.count = 1, .per = 1s}, .burst = 5});
    EXPECT_EQ(gcra.try_acquire(t0, 6).retry_after, Duration::max());
    EXPECT_TRUE(gcra.try_acquire(t0, 5).admitted) << "being asked for too much must cost nothing";
}

TEST(Gcra, RefillsToTheBurstAndNoFurther) {
    Gcra gcra({.rate = {.count = 1, .per = 1s}, .burst = 5});
    EXPECT_EQ(count_admitted(gcra, t0, 10), 5U);
    EXPECT_EQ(count_admitted(gcra, t0 + 10 * year, 10), 5U);
}

TEST(Gcra, TreatsATimeInThePastAsNoTimeGoneBy) {
    Gcra gcra({.rate = {.count = 1, .per = 1s}, .burst = 2});
    EXPECT_TRUE(gcra.try_acquire(t0).admitted);
    EXPECT_TRUE(gcra.try_acquire(t0 - 24h).admitted);
    EXPECT_EQ(gcra.try_acquire(t0 - 24h).retry_after, 1s);
    EXPECT_FALSE(gcra.try_acquire(t0).admitted);
}

TEST(Gcra, SurvivesTheEndsOfTime) {
    Gcra gcra({.rate = {.count = 1, .per = year}, .burst = trillion});
    EXPECT_TRUE(gcra.try_acquire(TimePoint::min()).admitted);
    EXPECT_TRUE(gcra.try_acquire(TimePoint::max()).admitted);
    EXPECT_TRUE(gcra.try_acquire(TimePoint::min()).admitted);
    EXPECT_EQ(gcra.try_acquire(TimePoint::max(), std::numeric_limits<std::uint64_t>::max()).retry_after,
              Duration::max());
}

struct QuotaCase {
    const char* name;
    Quota quota;
};

class EveryQuota : public testing::TestWithParam<QuotaCase> {};

TEST_P(EveryQuota, PassesItsBurstExactlyAndThenWaits) {
    const Quota quota = GetParam().quota;
    Gcra at_once(quota);
    EXPECT_TRUE(at_once.try_acquire(t0, quota.burst).admitted);
    const Decision next = at_once.try_acquire(t0);
    EXPECT_FALSE(next.admitted);
    EXPECT_GT(next.retry_after, 0ns);
    EXPECT_TRUE(at_once.try_acquire(t0 + next.retry_after).admitted);
}

TEST_P(EveryQuota, KeepsToItsRateWithinATenthOfAPercent) {
    const Quota quota = GetParam().quota;
    const Pace pace(quota);
    // What a whole burst costs in time, compared with what it should.
    const long double exact = static_cast<long double>(quota.burst) * static_cast<long double>(quota.rate.per.count()) /
                              static_cast<long double>(quota.rate.count);
    EXPECT_GE(static_cast<long double>(pace.tolerance()), exact);
    EXPECT_LE(static_cast<long double>(pace.tolerance()), exact * 1.001L + 1);
}

INSTANTIATE_TEST_SUITE_P(Gcra, EveryQuota,
                         testing::Values(QuotaCase{"Messages", {{60, 60s}, 30}},
                                         QuotaCase{"Indivisible", {{7, 60s}, 7}}, QuotaCase{"OneAYear", {{1, year}, 1}},
                                         QuotaCase{"OneADayManyAtOnce", {{1, 24h}, 5'000}},
                                         QuotaCase{"AThousandNanoseconds", {{1'000'000, 1s}, 1'000}},
                                         QuotaCase{"AMegabyteASecond", {{1U << 20, 1s}, 5U << 20}},
                                         QuotaCase{"TenMegabytesAnHour", {{10U << 20, 1h}, 5U << 20}},
                                         QuotaCase{"BillionASecond", {{1'000'000'000, 1s}, 1'000'000'000}},
                                         QuotaCase{"TrillionASecond", {{trillion, 1s}, trillion}},
                                         QuotaCase{"TrillionAYear", {{trillion, year}, trillion}}),
                         [](const auto& param) { return param.param.name; });

TEST(Pace, PassesABurstOfSinglesExactly) {
    for (const std::uint64_t burst : {1U, 7U, 30U, 1'000U}) {
        Gcra gcra({.rate = {.count = 7, .per = 60s}, .burst = burst});
        EXPECT_EQ(count_admitted(gcra, t0, burst + 10), burst);
    }
}

TEST(Pace, ClampsWhatNoParserWouldLetThrough) {
    Gcra nothing({.rate = {.count = 0, .per = 0s}, .burst = 0});
    EXPECT_TRUE(nothing.try_acquire(t0).admitted) << "a burst of 0 is taken as 1";
    Gcra huge({.rate = {.count = std::numeric_limits<std::uint64_t>::max(), .per = Duration::max()},
               .burst = std::numeric_limits<std::uint64_t>::max()});
    EXPECT_TRUE(huge.try_acquire(t0, trillion).admitted);
    EXPECT_EQ(huge.try_acquire(t0, trillion + 1).retry_after, Duration::max());
}

TEST(Pace, CutsABurstWorthMoreThanALifetimeShort) {
    Gcra gcra({.rate = {.count = 1, .per = year}, .burst = trillion});
    EXPECT_EQ(count_admitted(gcra, t0, 100), 36U);
    EXPECT_EQ(gcra.try_acquire(t0, trillion).retry_after, Duration::max());
}

TEST(Pace, CountsWhatIsAvailable) {
    const Pace pace({.rate = {.count = 60, .per = 60s}, .burst = 30});
    Bucket bucket;
    EXPECT_EQ(pace.available(bucket, 0), 30U);
    (void)pace.take(bucket, 0, 12);
    EXPECT_EQ(pace.available(bucket, 0), 18U);
    EXPECT_EQ(pace.available(bucket, Duration(2500ms).count()), 20U);
    EXPECT_EQ(pace.available(bucket, Duration(1h).count()), 30U);
}

TEST(Pace, KeepsTheUnitsOwedWhenTheRateChanges) {
    const Pace before({.rate = {.count = 60, .per = 60s}, .burst = 30});
    const Pace slower({.rate = {.count = 6, .per = 60s}, .burst = 30});
    const Pace smaller({.rate = {.count = 60, .per = 60s}, .burst = 10});
    Bucket bucket;
    (void)before.take(bucket, 0, 30);
    EXPECT_EQ(slower.available(before.convert(bucket, 0, slower), 0), 0U);
    EXPECT_EQ(slower.wait(before.convert(bucket, 0, slower), 0, 1), 10s);
    EXPECT_EQ(smaller.wait(before.convert(bucket, 0, smaller), 0, 1), 1s);
    EXPECT_EQ(before.convert(bucket, Duration(1h).count(), slower), Bucket{});
}

TEST(GcraRefund, MakesAChargeUndone) {
    Gcra gcra({.rate = {.count = 1, .per = 1s}, .burst = 3});
    EXPECT_TRUE(gcra.try_acquire(t0, 2).admitted);
    const Decision last = gcra.try_acquire(t0);
    EXPECT_FALSE(gcra.try_acquire(t0).admitted);
    gcra.refund(t0, last.charge);
    EXPECT_TRUE(gcra.try_acquire(t0).admitted);
    EXPECT_FALSE(gcra.try_acquire(t0).admitted);
}

TEST(GcraRefund, GivesBackAllToABucketThatStayedInDebt) {
    Gcra gcra({.rate = {.count = 1, .per = 1s}, .burst = 10});
    EXPECT_TRUE(gcra.try_acquire(t0, 6).admitted);
    const Decision refused_by_relay = gcra.try_acquire(t0, 4);
    EXPECT_FALSE(gcra.try_acquire(t0 + 3s, 5).admitted);
    gcra.refund(t0 + 3s, refused_by_relay.charge);
    EXPECT_TRUE(gcra.try_acquire(t0 + 3s, 7).admitted);
    EXPECT_FALSE(gcra.try_acquire(t0 + 3s).admitted);
}

TEST(GcraRefund, GivesNothingBackToABucketThatHasBeenFullSince) {
    Gcra gcra({.rate = {.count = 1, .per = 1s}, .burst = 10});
    const Decision early = gcra.try_acquire(t0, 10);
    EXPECT_TRUE(gcra.try_acquire(t0 + 20s, 10).admitted);
    gcra.refund(t0 + 20s, early.charge);
    EXPECT_FALSE(gcra.try_acquire(t0 + 20s).admitted);
}

// Ten were charged and half repaid by time before ten more came: without the first charge the bucket would have
// been full at 5 s and could not have held what it earned until then. Giving back all ten would let 26 pass
// within a second where 21 may.
TEST(GcraRefund, GivesNothingBackThatAFullBucketCouldNotHaveHeld) {
    Gcra gcra({.rate = {.count = 1, .per = 1s}, .burst = 20});
    const Decision first = gcra.try_acquire(t0, 10);
    EXPECT_TRUE(gcra.try_acquire(t0 + 5s, 10).admitted);
    gcra.refund(t0 + 6s, first.charge);
    EXPECT_FALSE(gcra.try_acquire(t0 + 6s, 12).admitted);
    EXPECT_TRUE(gcra.try_acquire(t0 + 6s, 10).admitted);
}

TEST(GcraRefund, UndoesATransactionOfManyRecipientsWhole) {
    Gcra gcra({.rate = {.count = 1, .per = 1min}, .burst = 50});
    std::vector<Charge> charges;
    for (int i = 0; i < 50; ++i) charges.push_back(gcra.try_acquire(t0).charge);
    for (const Charge& charge : charges) gcra.refund(t0, charge);
    EXPECT_TRUE(gcra.try_acquire(t0, 49).admitted);  // rounding may keep a 65536th of the burst each
}

}  // namespace
}  // namespace weir::limit
