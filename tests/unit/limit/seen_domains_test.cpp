#include "weir/limit/seen_domains.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weir::limit {
namespace {

using namespace std::chrono_literals;
using Standing = SeenDomains::Standing;

constexpr Seed seed{.low = 1, .high = 2};
const Key alice = siphash(seed, "alice");
const Key bob = siphash(seed, "bob");

Key domain(int number) {
    return siphash(seed, "domain" + std::to_string(number));
}

constexpr Tick at(core::Duration time) {
    return time.count();
}

TEST(SeenDomains, EstablishesADomainAnHourAfterItsFirstUse) {
    SeenDomains seen({});
    EXPECT_EQ(seen.standing(alice, domain(1), at(0s)), Standing::unknown);
    seen.use(alice, domain(1), at(0s));
    seen.use(alice, domain(1), at(30min));
    EXPECT_EQ(seen.standing(alice, domain(1), at(59min)), Standing::probation);
    EXPECT_EQ(seen.standing(alice, domain(1), at(1h)), Standing::established);
}

TEST(SeenDomains, KeepsOwnersApart) {
    SeenDomains seen({});
    seen.use(alice, domain(1), at(0s));
    EXPECT_EQ(seen.standing(bob, domain(1), at(2h)), Standing::unknown);
}

TEST(SeenDomains, ForgetsWhatWasNotUsedAfterAll) {
    SeenDomains seen({});
    seen.use(alice, domain(1), at(0s));
    seen.forget(alice, domain(1));
    seen.forget(alice, domain(1));
    EXPECT_EQ(seen.standing(alice, domain(1), at(2h)), Standing::unknown);
    EXPECT_EQ(seen.size(), 0U);
}

TEST(SeenDomains, ForgetsTheOwnersLongestUnusedDomainBeyondItsCap) {
    SeenDomains seen({.per_owner = 3, .total = 100});
    seen.use(bob, domain(1), at(0s));
    for (int i = 1; i <= 3; ++i) seen.use(alice, domain(i), at(i * 1min));
    seen.use(alice, domain(1), at(10min));
    seen.use(alice, domain(4), at(11min));
    EXPECT_EQ(seen.standing(alice, domain(1), at(12min)), Standing::probation);
    EXPECT_EQ(seen.standing(alice, domain(2), at(12min)), Standing::unknown);
    EXPECT_EQ(seen.standing(alice, domain(3), at(12min)), Standing::probation);
    EXPECT_EQ(seen.standing(alice, domain(4), at(12min)), Standing::probation);
    EXPECT_EQ(seen.standing(bob, domain(1), at(12min)), Standing::probation) << "others keep theirs";
}

TEST(SeenDomains, StaysWithinItsTotalCap) {
    SeenDomains seen({.per_owner = 10, .total = 50});
    for (int i = 0; i < 1'000; ++i) {
        seen.use(siphash(seed, std::to_string(i / 5)), domain(i), at(i * 1min));
        ASSERT_LE(seen.size(), 50U);
    }
    EXPECT_EQ(seen.size(), 50U);
    EXPECT_EQ(seen.standing(siphash(seed, "199"), domain(999), at(1000min)), Standing::probation);
    EXPECT_EQ(seen.standing(siphash(seed, "0"), domain(0), at(1000min)), Standing::unknown);
}

}  // namespace
}  // namespace weir::limit
