// The bound of design.md, promise 2, under random arrivals: in every window T at most burst + rate x T passes,
// whatever the clock does and whatever is given back; and what may pass, passes.

#include <gtest/gtest.h>

#include <random>

#include "unit/limit/any_window.hpp"
#include "weir/limit/gcra.hpp"

namespace weir::limit {
namespace {

using namespace std::chrono_literals;
using core::Duration;
using core::Quota;
using core::TimePoint;

constexpr TimePoint t0{100h};

Quota random_quota(std::mt19937_64& random) {
    std::uniform_int_distribution<std::uint64_t> count(1, 5'000);
    std::uniform_int_distribution<std::uint64_t> burst(1, 200);
    constexpr std::array<Duration, 4> windows{1s, 1min, 1h, 24h};
    return {.rate = {.count = count(random), .per = windows[random() % windows.size()]}, .burst = burst(random)};
}

/// A step of the clock: mostly about the quota's own scale, sometimes none, back, or far ahead.
Duration random_step(std::mt19937_64& random, const Quota& quota) {
    const auto interval = static_cast<double>(quota.rate.per.count()) / static_cast<double>(quota.rate.count);
    std::exponential_distribution<double> step(1.0 / interval);
    switch (random() % 20) {
        case 0:
            return -Duration(static_cast<std::int64_t>(step(random) * 10));
        case 1:
            return Duration(static_cast<std::int64_t>(step(random) * static_cast<double>(quota.burst)));
        case 2:
            return 1ns;
        case 3:
        case 4:
        case 5:
        case 6:
        case 7:
            return 0ns;
        default:
            return Duration(static_cast<std::int64_t>(step(random)));
    }
}

struct Outstanding {
    std::size_t pass;
    Charge charge;
};

/// Runs one bucket through random arrivals; of what passed, `refund_share` percent is given back some time later.
std::vector<Pass> run(const Quota& quota, std::mt19937_64& random, unsigned refund_share, int arrivals) {
    Gcra gcra(quota);
    std::vector<Pass> passes;
    std::vector<Outstanding> outstanding;
    TimePoint now = t0;
    TimePoint latest = TimePoint::min();
    for (int i = 0; i < arrivals; ++i) {
        now += random_step(random, quota);
        latest = std::max(latest, now);
        const std::uint64_t cost = random() % 4 == 0 ? 1 + random() % quota.burst : 1;
        if (const Decision decision = gcra.try_acquire(now, cost); decision.admitted) {
            if (random() % 100 < refund_share) outstanding.push_back({passes.size(), decision.charge});
            passes.push_back({latest, cost});
        }
        while (!outstanding.empty() && random() % 3 == 0) {
            std::swap(outstanding[random() % outstanding.size()], outstanding.back());
            gcra.refund(now, outstanding.back().charge);
            passes[outstanding.back().pass].cost = 0;
            outstanding.pop_back();
        }
    }
    return passes;
}

TEST(GcraProperty, HoldsTheBoundInEveryWindowForAnyClock) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 300; ++round) {
        const Quota quota = random_quota(random);
        ASSERT_LE(worst_excess(run(quota, random, 0, 1'000), quota), 1e-3L) << "round " << round;
    }
}

TEST(GcraProperty, HoldsTheBoundInEveryWindowWhateverIsGivenBack) {
    std::mt19937_64 random(2);
    for (int round = 0; round < 1'000; ++round) {
        const Quota quota = random_quota(random);
        const auto refund_share = static_cast<unsigned>(random() % 100);
        ASSERT_LE(worst_excess(run(quota, random, refund_share, 1'000), quota), 1e-3L) << "round " << round;
    }
}

TEST(GcraProperty, LeavesAtLeast95PercentOfTheBudgetUsableUnderSaturation) {
    std::mt19937_64 random(3);
    for (int round = 0; round < 100; ++round) {
        const Quota quota = random_quota(random);
        Gcra gcra(quota);
        const auto interval = quota.rate.per / static_cast<std::int64_t>(quota.rate.count);
        std::uint64_t passed = 0;
        TimePoint now = t0;
        for (int i = 0; i < 20'000; ++i) {
            now += Duration(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(interval.count())));
            passed += gcra.try_acquire(now).admitted ? 1 : 0;
        }
        const auto earned = static_cast<double>((now - t0) / interval + static_cast<std::int64_t>(quota.burst));
        ASSERT_GE(static_cast<double>(passed), 0.95 * earned) << "round " << round;
    }
}

// Half of all messages are refused by the relay, one interval after they were let through: the other half must
// still be able to use the budget.
TEST(GcraProperty, LeavesAtLeast95PercentUsableWhenHalfIsGivenBack) {
    const Quota quota{.rate = {.count = 60, .per = 1min}, .burst = 30};
    std::mt19937_64 random(4);
    Gcra gcra(quota);
    std::vector<Charge> refused;
    std::uint64_t passed = 0;
    TimePoint now = t0;
    for (int i = 0; i < 100'000; ++i) {
        now += Duration(static_cast<std::int64_t>(random() % 300'000'000));
        for (const Charge& charge : refused) gcra.refund(now, charge);
        refused.clear();
        const Decision decision = gcra.try_acquire(now);
        if (!decision.admitted) continue;
        if (random() % 2 == 0) {
            refused.push_back(decision.charge);
        } else {
            ++passed;
        }
    }
    const auto earned = static_cast<double>((now - t0) / 1s + 30);
    EXPECT_GE(static_cast<double>(passed), 0.95 * earned);
}

}  // namespace
}  // namespace weir::limit
