#include "weir/core/result.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace weir::core {
namespace {

TEST(Errc, IsAnErrorOfWeirsOwnCategory) {
    const Error error = Errc::pool_saturated;
    EXPECT_TRUE(error.failed());
    EXPECT_STREQ(error.category().name(), "weir");
    EXPECT_EQ(error, Errc::pool_saturated);
    EXPECT_NE(error, Errc::timed_out);
}

TEST(Errc, SaysEachReasonInItsOwnWords) {
    std::set<std::string> messages;
    const int last = static_cast<int>(Errc::accepts_no_mail);
    for (int value = 1; value <= last; ++value) messages.insert(weir_category().message(value));
    EXPECT_EQ(messages.size(), static_cast<std::size_t>(last));
    EXPECT_FALSE(messages.contains("unknown error"));
    EXPECT_EQ(weir_category().message(last + 1), "unknown error");
    EXPECT_EQ(weir_category().message(0), "unknown error");
}

TEST(Result, HoldsAValueOrTheReasonWhyThereIsNone) {
    const Result<int> value = 42;
    const Result<int> reason = Errc::bad_syntax;
    ASSERT_TRUE(value);
    EXPECT_EQ(*value, 42);
    ASSERT_FALSE(reason);
    EXPECT_EQ(reason.error(), Errc::bad_syntax);
}

}  // namespace
}  // namespace weir::core
