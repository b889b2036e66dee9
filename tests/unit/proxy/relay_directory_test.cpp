#include "weir/proxy/relay_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::proxy {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr core::TimePoint t0{1000s};

const RelayAddress a{.host = "a.test", .port = 25, .lookup_mx = false, .text = "[a.test]"};
const RelayAddress b{.host = "b.test", .port = 25, .lookup_mx = false, .text = "[b.test]"};
const RelayAddress c{.host = "c.test", .port = 25, .lookup_mx = false, .text = "[c.test]"};

constexpr smtp::Extensions with_dsn{.pipelining = true, .dsn = true, .size = true, .max_size = 1000};
constexpr smtp::Extensions with_utf8{.pipelining = true, .smtputf8 = true, .size = true, .max_size = 500};

class Directory : public testing::Test {
protected:
    void hear_all() {
        for (const RelayAddress& relay : {a, b, c}) relays_.on_connected(relay, with_dsn);
    }

    RelayDirectory relays_{{a, b, c}, /*seed=*/1};
};

TEST_F(Directory, TriesTheRelaysInTheirOrder) {
    EXPECT_THAT(relays_.candidates(t0), ElementsAre(a, b, c));
}

TEST_F(Directory, LeavesAFailedRelayAloneAndThenTriesItLast) {
    relays_.on_failed(a, {.error = core::Errc::relay_unreachable, .text = "refused"}, t0);
    EXPECT_THAT(relays_.candidates(t0 + 700ms), ElementsAre(b, c));
    EXPECT_THAT(relays_.candidates(t0 + 1300ms), ElementsAre(b, c, a));
    relays_.on_connected(a, with_dsn);
    EXPECT_THAT(relays_.candidates(t0 + 1300ms), ElementsAre(a, b, c));
}

TEST_F(Directory, BacksOffLongerWithEachFailureUpToHalfAMinuteWithJitter) {
    RelayDirectory relays({a}, /*seed=*/1);
    core::TimePoint now = t0;
    std::vector<core::Duration> pauses;
    for (int i = 0; i < 12; ++i) {
        relays.on_failed(a, {.error = core::Errc::relay_unreachable, .text = "refused"}, now);
        const core::TimePoint failed = now;
        while (relays.candidates(now).empty()) now += 1ms;
        pauses.push_back(now - failed);
    }
    for (std::size_t i = 0; i < pauses.size(); ++i) {
        const core::Duration usual = std::min<core::Duration>(1s * (1 << std::min<std::size_t>(i, 5)), 30s);
        EXPECT_GE(pauses[i], usual * 3 / 4) << i;
        EXPECT_LE(pauses[i], usual * 5 / 4 + 1ms) << i;
    }
    EXPECT_NE(pauses[10], pauses[11]);
}

TEST_F(Directory, BeginsWithAShortPauseAgainAfterARelayWasReached) {
    for (int i = 0; i < 5; ++i) relays_.on_failed(a, {.error = core::Errc::relay_unreachable, .text = "refused"}, t0);
    EXPECT_TRUE(relays_.on_connected(a, with_dsn));
    EXPECT_FALSE(relays_.on_connected(a, with_dsn)) << "that is no news";
    relays_.on_failed(a, {.error = core::Errc::relay_unreachable, .text = "refused"}, t0);
    EXPECT_THAT(relays_.candidates(t0 + 1300ms), ElementsAre(b, c, a));
}

TEST_F(Directory, PrefersTheFirstRelayThatWorks) {
    hear_all();
    EXPECT_TRUE(relays_.is_preferred(a, t0));
    EXPECT_FALSE(relays_.is_preferred(b, t0));
    relays_.on_failed(a, {.error = core::Errc::relay_unreachable, .text = "refused"}, t0);
    EXPECT_TRUE(relays_.is_preferred(b, t0));
    EXPECT_FALSE(relays_.is_preferred(c, t0));
    relays_.on_connected(a, with_dsn);
    EXPECT_FALSE(relays_.is_preferred(b, t0));
}

TEST_F(Directory, GoesOnUsingOpenConnectionsToARelayThatTakesNoFurtherOnes) {
    hear_all();
    relays_.on_failed(a, {.error = core::Errc::relay_unreachable, .text = "421 too many connections"}, t0);
    EXPECT_TRUE(relays_.is_preferred(a, t0));
}

TEST_F(Directory, UsesWhatIsOpenWhenNoRelayWorks) {
    hear_all();
    for (const RelayAddress& relay : {a, b, c})
        relays_.on_failed(relay, {.error = core::Errc::relay_unreachable, .text = "refused"}, t0);
    EXPECT_TRUE(relays_.is_preferred(c, t0));
}

TEST_F(Directory, DoesNotPreferARelayThatWasNeverHeard) {
    relays_.on_connected(b, with_dsn);
    EXPECT_TRUE(relays_.is_preferred(b, t0));
}

TEST_F(Directory, LetsARelayRestThatSaid421) {
    hear_all();
    relays_.on_farewell(a, t0);
    EXPECT_THAT(relays_.candidates(t0 + 1s), ElementsAre(b, c, a));
    EXPECT_FALSE(relays_.is_preferred(a, t0 + 1s));
    EXPECT_TRUE(relays_.is_preferred(b, t0 + 1s));
    EXPECT_THAT(relays_.candidates(t0 + 38s), ElementsAre(a, b, c));
    EXPECT_FALSE(relays_.is_preferred(b, t0 + 38s));
}

TEST_F(Directory, LetsNoRelayRestWithoutAnother) {
    RelayDirectory relays({a}, /*seed=*/1);
    relays.on_connected(a, with_dsn);
    relays.on_farewell(a, t0);
    EXPECT_TRUE(relays.is_preferred(a, t0));
    EXPECT_THAT(relays.candidates(t0), ElementsAre(a));
}

TEST_F(Directory, HandsOutOneProbeOfABetterRelayWhoseBackOffIsOver) {
    hear_all();
    relays_.on_failed(a, {.error = core::Errc::relay_unreachable, .text = "refused"}, t0);
    EXPECT_FALSE(relays_.take_probe(t0 + 700ms)) << "it still backs off";
    EXPECT_EQ(relays_.take_probe(t0 + 2s), a);
    EXPECT_FALSE(relays_.take_probe(t0 + 2s)) << "somebody does it already";
    relays_.on_failed(a, {.error = core::Errc::relay_unreachable, .text = "refused"}, t0 + 3s);
    EXPECT_FALSE(relays_.take_probe(t0 + 4s));
    EXPECT_EQ(relays_.take_probe(t0 + 6s), a);
    EXPECT_EQ(relays_.take_probe(t0 + 70s), a) << "whoever had it never told how it went";
}

TEST_F(Directory, ProbesNoRelayThatWouldNotBeUsed) {
    hear_all();
    relays_.on_failed(c, {.error = core::Errc::relay_unreachable, .text = "refused"}, t0);
    EXPECT_FALSE(relays_.take_probe(t0 + 10s)) << "a works";
    relays_.on_failed(a, {.error = core::Errc::relay_unreachable, .text = "refused"}, t0);
    relays_.on_failed(b, {.error = core::Errc::relay_unreachable, .text = "refused"}, t0);
    EXPECT_FALSE(relays_.take_probe(t0 + 10s)) << "none works: messages try them";
}

TEST_F(Directory, HasEveryRelayAskedOnce) {
    EXPECT_THAT(relays_.take_unheard(t0), ElementsAre(a, b, c));
    EXPECT_THAT(relays_.take_unheard(t0), IsEmpty());
    relays_.on_connected(a, with_dsn);
    relays_.on_failed(b, {.error = core::Errc::relay_unreachable, .text = "refused"}, t0);
    EXPECT_THAT(relays_.take_unheard(t0 + 2s), ElementsAre(b));
}

TEST_F(Directory, OffersWhatAllRelaysOfferThatCanBeReached) {
    EXPECT_EQ(relays_.offer(), smtp::unknown_relay_extensions());
    relays_.on_connected(a, with_dsn);
    EXPECT_EQ(relays_.offer(), with_dsn);
    relays_.on_connected(b, with_utf8);
    EXPECT_EQ(relays_.offer(), smtp::intersection(with_dsn, with_utf8));
    relays_.on_failed(a, {.error = core::Errc::relay_unreachable, .text = "refused"}, t0);
    EXPECT_EQ(relays_.offer(), with_utf8);
    relays_.on_failed(b, {.error = core::Errc::relay_unreachable, .text = "refused"}, t0);
    EXPECT_EQ(relays_.offer(), smtp::intersection(with_dsn, with_utf8)) << "what was heard before";
    relays_.on_connected(b, with_dsn);
    EXPECT_EQ(relays_.offer(), with_dsn) << "each handshake counts anew";
}

TEST_F(Directory, KeepsWhatItKnowsOverAReload) {
    hear_all();
    relays_.on_failed(b, {.error = core::Errc::relay_unreachable, .text = "refused"}, t0);
    relays_.replace({b, a});
    EXPECT_THAT(relays_.candidates(t0), ElementsAre(a));
    EXPECT_TRUE(relays_.is_known());
}

}  // namespace
}  // namespace weir::proxy
