#include "weir/net/name_cache.hpp"

#include <gtest/gtest.h>

namespace weir::net {
namespace {

using namespace std::chrono_literals;
using core::Errc;

constexpr core::TimePoint t0{1000s};

NameAnswer answer(std::string_view address, core::Duration ttl) {
    return {.addresses = {core::parse_ip(address).value()}, .mail_hosts = {}, .ttl = ttl};
}

class Cache : public testing::Test {
protected:
    [[nodiscard]] bool is_fresh(core::TimePoint now) const { return cache_.find("relay.test", now).has_value(); }
    void store(core::Result<NameAnswer> what, core::TimePoint now) { cache_.store("relay.test", std::move(what), now); }

    NameCache cache_;
};

TEST_F(Cache, KeepsAnAnswerForItsTtl) {
    store(answer("192.0.2.1", 60s), t0);
    EXPECT_EQ(cache_.find("relay.test", t0 + 59s).value().value(), answer("192.0.2.1", 60s));
    EXPECT_FALSE(is_fresh(t0 + 60s));
    EXPECT_FALSE(cache_.find("other.test", t0));
}

TEST_F(Cache, KeepsAnAnswerForFiveSecondsAtLeast) {
    store(answer("192.0.2.1", 0s), t0);
    EXPECT_TRUE(is_fresh(t0 + 4999ms));
    EXPECT_FALSE(is_fresh(t0 + 5s));
}

TEST_F(Cache, KeepsAnAnswerForFiveMinutesAtMost) {
    store(answer("192.0.2.1", 24h), t0);
    EXPECT_TRUE(is_fresh(t0 + 299s));
    EXPECT_FALSE(is_fresh(t0 + 300s));
}

TEST_F(Cache, TakesTheBoundsItIsGiven) {
    NameCache cache({.least_ttl = 1s, .most_ttl = 2s});
    cache.store("a", answer("192.0.2.1", 0s), t0);
    cache.store("b", answer("192.0.2.1", 1h), t0);
    EXPECT_TRUE(cache.find("a", t0 + 999ms));
    EXPECT_FALSE(cache.find("a", t0 + 1s));
    EXPECT_TRUE(cache.find("b", t0 + 1999ms));
    EXPECT_FALSE(cache.find("b", t0 + 2s));
}

TEST_F(Cache, KeepsANegativeAnswerForFiveSeconds) {
    store(Errc::name_not_found, t0);
    EXPECT_EQ(cache_.find("relay.test", t0 + 4999ms).value().error(), Errc::name_not_found);
    EXPECT_FALSE(is_fresh(t0 + 5s));
    EXPECT_EQ(cache_.find_stale("relay.test", t0 + 1s), nullptr);
}

TEST_F(Cache, HasAStaleAnswerForAnHour) {
    store(answer("192.0.2.1", 60s), t0);
    ASSERT_NE(cache_.find_stale("relay.test", t0 + 60s + 59min), nullptr);
    EXPECT_EQ(*cache_.find_stale("relay.test", t0 + 60s + 59min), answer("192.0.2.1", 60s));
    EXPECT_EQ(cache_.find_stale("relay.test", t0 + 60s + 1h), nullptr);
}

TEST_F(Cache, UsesAStaleAnswerForHalfAMinuteAfterAFailure) {
    store(answer("192.0.2.1", 60s), t0);
    store(Errc::timed_out, t0 + 60s);
    EXPECT_EQ(cache_.find("relay.test", t0 + 89s).value().value(), answer("192.0.2.1", 60s));
    EXPECT_FALSE(is_fresh(t0 + 90s));
}

TEST_F(Cache, FailuresDoNotKeepAStaleAnswerBeyondItsHour) {
    store(answer("192.0.2.1", 60s), t0);
    const auto end = t0 + 60s + 1h;
    for (auto now = t0 + 60s; now < end; now += 30s) {
        store(Errc::timed_out, now);
        EXPECT_TRUE(cache_.find("relay.test", now + 29s).value()) << (now - t0).count();
    }
    store(Errc::timed_out, end);
    EXPECT_EQ(cache_.find("relay.test", end + 1s).value().error(), Errc::timed_out);
}

TEST_F(Cache, BelievesThatANameIsGone) {
    store(answer("192.0.2.1", 60s), t0);
    store(Errc::name_not_found, t0 + 60s);
    EXPECT_EQ(cache_.find("relay.test", t0 + 61s).value().error(), Errc::name_not_found);
    EXPECT_EQ(cache_.find_stale("relay.test", t0 + 66s), nullptr);
}

TEST_F(Cache, ForgetsWhatIsOfNoUseAnyMore) {
    for (int i = 0; i < 100; ++i) cache_.store(std::to_string(i), answer("192.0.2.1", 60s), t0);
    store(answer("192.0.2.1", 60s), t0 + 2h);
    EXPECT_EQ(cache_.size(), 1U);
}

}  // namespace
}  // namespace weir::net
