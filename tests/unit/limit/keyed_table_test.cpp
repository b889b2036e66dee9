#include "weir/limit/keyed_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <unordered_map>

#include "unit/limit/any_window.hpp"

namespace weir::limit {
namespace {

using namespace std::chrono_literals;
using core::Duration;
using core::Quota;
using core::TimePoint;

constexpr Seed seed{.low = 1, .high = 2};

Key key_of(std::uint64_t number) {
    return siphash(seed, std::to_string(number));
}

constexpr Tick tick(Duration duration) {
    return duration.count();
}

TEST(KeyedTable, KeepsAKeysBucketsApartFromAllOthers) {
    KeyedTable table(1'000'000, 0);
    constexpr std::uint64_t keys = 50'000;
    for (std::uint64_t i = 0; i < keys; ++i) {
        KeyedTable::Row& row = table.obtain(key_of(i), 0);
        for (std::size_t b = 0; b < KeyedTable::buckets_per_key; ++b) {
            row.set_bucket(b, {.full_at = static_cast<Tick>(i * 4 + b + 1), .returned = static_cast<std::uint32_t>(i)});
        }
    }
    EXPECT_EQ(table.size(), keys);
    for (std::uint64_t i = 0; i < keys; ++i) {
        const KeyedTable::Row& row = table.look(key_of(i));
        for (std::size_t b = 0; b < KeyedTable::buckets_per_key; ++b) {
            const Bucket expected{.full_at = static_cast<Tick>(i * 4 + b + 1),
                                  .returned = static_cast<std::uint32_t>(i)};
            ASSERT_EQ(row.bucket(b), expected) << "key " << i;
        }
    }
}

TEST(KeyedTable, AnswersForAKeyItDoesNotKnowWithoutKeepingIt) {
    KeyedTable table(10, 0);
    EXPECT_EQ(table.look(key_of(1)).bucket(0), Bucket{});
    EXPECT_EQ(table.find(key_of(1)), nullptr);
    EXPECT_EQ(table.size(), 0U);
}

TEST(KeyedTable, DropsKeysWhoseBucketsAreFullAgain) {
    KeyedTable table(1'000'000, 0);
    for (std::uint64_t i = 0; i < 10'000; ++i) table.obtain(key_of(i), 0).set_bucket(2, {.full_at = 100});
    table.sweep(99, 1'000'000);
    EXPECT_EQ(table.size(), 10'000U);
    table.sweep(100, 1'000'000);
    EXPECT_EQ(table.size(), 0U);
}

TEST(KeyedTable, MatchesAPlainMapThroughRandomInsertionAndSweeping) {
    std::mt19937_64 random(5);
    KeyedTable table(1'000'000, 0);
    std::unordered_map<std::uint64_t, Tick> model;
    for (Tick now = 1; now < 60'000; ++now) {
        const std::uint64_t number = random() % 20'000;
        const Tick full_at = now + static_cast<Tick>(random() % 5'000);
        table.obtain(key_of(number), now).set_bucket(0, {.full_at = full_at});
        model[number] = full_at;
        const std::uint64_t other = random() % 20'000;
        const Tick found = table.look(key_of(other)).bucket(0).full_at;
        const auto expected = model.find(other);
        const Tick known = expected == model.end() ? never : expected->second;
        ASSERT_TRUE(found == known || (found == never && known <= now)) << "key " << other << " at " << now;
    }
}

TEST(KeyedTable, KeepsARowWithReturnsUntilNoOlderChargeCanComeBack) {
    KeyedTable table(10, /*linger=*/50);
    table.obtain(key_of(1), 0).set_bucket(0, {.full_at = 100, .returned = 1});
    table.sweep(149, 10'000);
    EXPECT_EQ(table.size(), 1U);
    table.sweep(150, 10'000);
    EXPECT_EQ(table.size(), 0U);
}

TEST(KeyedTable, NeverForgetsADebtToMakeRoom) {
    KeyedTable table(100, 0);
    for (std::uint64_t i = 0; i < 100; ++i) table.obtain(key_of(i), 0).set_bucket(0, {.full_at = 1'000});
    for (std::uint64_t i = 100; i < 10'000; ++i) EXPECT_TRUE(table.obtain(key_of(i), 10).is_shared());
    EXPECT_EQ(table.size(), 100U);
    for (std::uint64_t i = 0; i < 100; ++i) ASSERT_EQ(table.look(key_of(i)).bucket(0).full_at, 1'000);
}

TEST(KeyedTable, LetsANewcomerInAsSoonAsAnotherIsFullAgain) {
    KeyedTable table(100, 0);
    for (std::uint64_t i = 0; i < 100; ++i) table.obtain(key_of(i), 0).set_bucket(0, {.full_at = 1'000});
    KeyedTable::Row& shared = table.obtain(key_of(100), 0);
    ASSERT_TRUE(shared.is_shared());
    shared.set_bucket(0, {.full_at = 2'000});
    KeyedTable::Row* row = nullptr;
    for (int tries = 0; tries < 100 && (row == nullptr || row->is_shared()); ++tries) {
        row = &table.obtain(key_of(100), 1'000);
    }
    ASSERT_FALSE(row->is_shared());
    EXPECT_EQ(row->bucket(0).full_at, 2'000) << "what it owed in the shared row it still owes";
}

TEST(KeyedTable, NeedsAtMost96BytesAKeyAtAMillionKeys) {
    KeyedTable table(2'000'000, 0);
    double worst = 0;
    for (std::uint64_t i = 0; i < 1'000'000; ++i) {
        table.obtain(key_of(i), 0).set_bucket(0, {.full_at = 1'000});
        if (i >= 900'000 && i % 10'000 == 0) {
            worst = std::max(worst, static_cast<double>(table.memory_bytes()) / static_cast<double>(table.size()));
        }
    }
    RecordProperty("bytes_per_key", std::to_string(worst));
    EXPECT_LE(worst, 96.0);
}

TEST(KeyedTable, GivesTheMemoryOfAFloodBack) {
    KeyedTable table(1'000'000, 0);
    for (std::uint64_t i = 0; i < 200'000; ++i) table.obtain(key_of(i), 0).set_bucket(0, {.full_at = 1'000});
    const std::size_t at_the_height = table.memory_bytes();
    // The flood is over; a handful of regulars goes on.
    for (std::uint64_t i = 0; i < 200'000; ++i) table.sweep(2'000, 4);
    EXPECT_EQ(table.size(), 0U);
    EXPECT_LT(table.memory_bytes(), at_the_height / 50);
}

struct Outstanding {
    Key row;  // Key{}: the shared one
    std::uint64_t number;
    std::size_t pass;
    Charge charge;
};

// More keys than rows, floods, sweeps, refunds: each key's own bound must hold in every window.
TEST(KeyedTableProperty, HoldsEveryKeysBoundThoughTheTableIsTooSmall) {
    const Quota quota{.rate = {.count = 1, .per = 1s}, .burst = 5};
    const Pace pace(quota);
    std::mt19937_64 random(6);
    for (int round = 0; round < 100; ++round) {
        KeyedTable table(8, pace.tolerance());
        std::map<std::uint64_t, std::vector<Pass>> passes;
        std::vector<Outstanding> outstanding;
        Tick now = tick(100h);
        for (int i = 0; i < 3'000; ++i) {
            now += static_cast<Tick>(random() % static_cast<std::uint64_t>(tick(round % 2 == 0 ? 200ms : 2s)));
            const std::uint64_t number = random() % 24;
            const std::uint64_t cost = 1 + random() % 3;
            const Key key = key_of(number);
            if (pace.wait(table.look(key).bucket(0), now, cost) == 0s) {
                KeyedTable::Row& row = table.obtain(key, now);
                Bucket bucket = row.bucket(0);
                const Charge charge = pace.take(bucket, now, cost);
                row.set_bucket(0, bucket);
                auto& own = passes[number];
                if (random() % 2 == 0) {
                    outstanding.push_back({row.is_shared() ? Key{} : key, number, own.size(), charge});
                }
                own.push_back({TimePoint(Duration(now)), cost});
            }
            while (!outstanding.empty() && random() % 3 == 0) {
                std::swap(outstanding[random() % outstanding.size()], outstanding.back());
                const Outstanding back = outstanding.back();
                outstanding.pop_back();
                passes[back.number][back.pass].cost = 0;
                if (KeyedTable::Row* row = table.find(back.row)) {
                    Bucket bucket = row->bucket(0);
                    pace.give_back(bucket, now, back.charge);
                    row->set_bucket(0, bucket);
                }
            }
        }
        for (const auto& [number, own] : passes) {
            ASSERT_LE(worst_excess(own, quota), 1e-3L) << "round " << round << ", key " << number;
        }
    }
}

}  // namespace
}  // namespace weir::limit
