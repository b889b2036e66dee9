#include "series_table.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace weir::telemetry {
namespace {

struct Count {
    std::unique_ptr<std::atomic<int>> events;
    std::string label;
};

Count make_count(const std::string& label) {
    return {std::make_unique<std::atomic<int>>(0), label};
}

TEST(SeriesTable, GivesAValueTheSameSeriesEveryTime) {
    SeriesTable<Count> table(4, make_count);
    Count& first = table.at("default");
    EXPECT_EQ(&table.at("default"), &first);
    EXPECT_NE(&table.at("priority"), &first);
    EXPECT_EQ(first.label, "default");
}

TEST(SeriesTable, CountsAsOtherWhatIsBeyondItsSize) {
    SeriesTable<Count> table(4, make_count);
    for (int i = 0; i < 100'000; ++i) ++*table.at(std::to_string(i)).events;
    std::vector<std::string> labels;
    int sum = 0;
    table.for_each([&](const Count& count) {
        labels.push_back(count.label);
        sum += *count.events;
    });
    EXPECT_EQ(labels, (std::vector<std::string>{"0", "1", "2", "3", "other"}));
    EXPECT_EQ(sum, 100'000);
}

TEST(SeriesTable, IsFilledByManyThreadsAtOnceWithoutLosingACount) {
    SeriesTable<Count> table(64, make_count);
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&table] {
            for (int i = 0; i < 20'000; ++i) ++*table.at(std::to_string(i % 100)).events;
        });
    }
    threads.clear();
    int sum = 0;
    int series = 0;
    table.for_each([&](const Count& count) {
        sum += *count.events;
        ++series;
    });
    EXPECT_EQ(sum, 80'000);
    EXPECT_EQ(series, 65);
}

}  // namespace
}  // namespace weir::telemetry
