#include "weir/limit/recent.hpp"

#include <gtest/gtest.h>

namespace weir::limit {
namespace {

TEST(Recent, StartsEmpty) {
    Recent recent(1'024);
    for (std::uint64_t id = 0; id < 2'048; ++id) EXPECT_EQ(recent.place(id).id, 0U);
}

TEST(Recent, LetsANewerSightingPushOutAnOlderOneInItsPlace) {
    Recent recent(16);
    recent.place(5) = {.id = 5, .at = 1, .size = 10};
    EXPECT_EQ(recent.place(5).id, 5U);
    EXPECT_EQ(recent.place(6).id, 0U);
    recent.place(21) = {.id = 21, .at = 2, .size = 20};
    EXPECT_EQ(recent.place(5).id, 21U);
}

}  // namespace
}  // namespace weir::limit
