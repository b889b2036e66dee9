#include "weir/limit/siphash.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace weir::limit {
namespace {

struct Vector {
    const char* name;
    std::size_t length;
    Key expected;
};

class ReferenceVectors : public testing::TestWithParam<Vector> {};

// Key 00 01 .. 0f and input 00 01 .. as in the reference implementation; the outputs also from `openssl mac SIPHASH`.
TEST_P(ReferenceVectors, Match) {
    std::string input;
    for (std::size_t i = 0; i < GetParam().length; ++i) input.push_back(static_cast<char>(i));
    const Seed seed{.low = 0x0706050403020100, .high = 0x0f0e0d0c0b0a0908};
    EXPECT_EQ(siphash(seed, input), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Siphash, ReferenceVectors,
    testing::Values(Vector{"Empty", 0, {.high = 0x930255c71472f66d, .low = 0xe6a825ba047f81a3}},
                    Vector{"OneByte", 1, {.high = 0x45fc229b11597634, .low = 0x44af996bd8c187da}},
                    Vector{"OneWord", 8, {.high = 0xb49714f364e2830f, .low = 0x61f55862baa9623b}},
                    Vector{"Fifteen", 15, {.high = 0xd9c3cf970fec087e, .low = 0x11a8b03399e99354}},
                    Vector{"SixtyThree", 63, {.high = 0x7cbd3f979a063e50, .low = 0x4a83502f77d15051}}),
    [](const auto& param) { return param.param.name; });

TEST(Siphash, DependsOnTheSeed) {
    EXPECT_NE(siphash({.low = 1, .high = 2}, "example.org"), siphash({.low = 1, .high = 3}, "example.org"));
    EXPECT_NE(siphash({.low = 1, .high = 2}, "example.org"), siphash({.low = 3, .high = 2}, "example.org"));
}

TEST(Siphash, SpreadsNamesThatDifferInOneCharacter) {
    std::set<Key> keys;
    for (int i = 0; i < 10'000; ++i) keys.insert(siphash({.low = 1, .high = 2}, "d" + std::to_string(i) + ".example"));
    EXPECT_EQ(keys.size(), 10'000U);
}

}  // namespace
}  // namespace weir::limit
