#include "weir/limit/top_k.hpp"

#include <gtest/gtest.h>

namespace weir::limit {
namespace {

std::string name(std::uint64_t id) {
    return "client " + std::to_string(id);
}

TEST(TopK, CountsExactlyWhileThereAreCountersForAll) {
    TopK top;
    for (std::uint64_t id = 1; id <= 10; ++id) {
        for (std::uint64_t i = 0; i < id; ++i) top.add(id, [id] { return name(id); });
    }
    const auto entries = top.top(3);
    ASSERT_EQ(entries.size(), 3U);
    EXPECT_EQ(entries[0].name, "client 10");
    EXPECT_EQ(entries[0].count, 10U);
    EXPECT_EQ(entries[2].name, "client 8");
}

TEST(TopK, FindsTheHeavyOnesAmongAFloodOfOthers) {
    TopK top;
    for (std::uint64_t i = 0; i < 100'000; ++i) {
        const std::uint64_t id = i % 20 == 0 ? 1 : 1'000 + i;
        top.add(id, [id] { return name(id); });
    }
    const auto entries = top.top(1);
    EXPECT_EQ(entries[0].name, "client 1");
    EXPECT_GE(entries[0].count, 5'000U);
    EXPECT_LE(entries[0].count, 5'000U + 100'000U / TopK::counters);
}

TEST(TopK, CutsLongNames) {
    TopK top;
    top.add(1, [] { return std::string(1'000, 'x'); });
    EXPECT_EQ(top.top(1)[0].name, std::string(TopK::longest_name, 'x'));
}

TEST(TopK, AsksForANameOnlyWhenACounterChangesHands) {
    TopK top;
    int asked = 0;
    for (int i = 0; i < 100; ++i) top.add(7, [&asked] { return ++asked, std::string("seven"); });
    EXPECT_EQ(asked, 1);
}

}  // namespace
}  // namespace weir::limit
