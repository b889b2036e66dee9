#include "repeat_filter.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weir::telemetry {
namespace {

using namespace std::chrono_literals;

constexpr core::TimePoint t0{1h};

TEST(RepeatFilter, PassesOneASecondAndCountsTheOthers) {
    RepeatFilter filter;
    EXPECT_EQ(filter.try_pass("accept", t0), 0U);
    EXPECT_EQ(filter.try_pass("accept", t0 + 1ms), std::nullopt);
    EXPECT_EQ(filter.try_pass("accept", t0 + 999ms), std::nullopt);
    EXPECT_EQ(filter.try_pass("accept", t0 + 1s), 2U);
    EXPECT_EQ(filter.try_pass("accept", t0 + 2s), 0U);
}

TEST(RepeatFilter, KeepsKindsApart) {
    RepeatFilter filter;
    EXPECT_EQ(filter.try_pass("accept", t0), 0U);
    EXPECT_EQ(filter.try_pass("resolve", t0), 0U);
}

TEST(RepeatFilter, LetsKindsBeyondItsMemoryShareOneSecond) {
    RepeatFilter filter;
    int passed = 0;
    for (int i = 0; i < 100'000; ++i) passed += filter.try_pass("kind " + std::to_string(i), t0).has_value() ? 1 : 0;
    EXPECT_LE(passed, 65);
    EXPECT_EQ(filter.try_pass("kind 7", t0 + 1s), 0U);
    EXPECT_EQ(filter.try_pass("kind 99999", t0 + 1s), 100'000U - 65U);
}

}  // namespace
}  // namespace weir::telemetry
