#include "retry_delay.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

TEST(RetryDelay, IsFoundInTheWordsThatRelaysUse) {
    EXPECT_EQ(find_delay("try again in 300 seconds"), 300s);
    EXPECT_EQ(find_delay("please retry after 5 minutes"), 5min);
    EXPECT_EQ(find_delay("slow down, wait 1 hour"), 1h);
    EXPECT_EQ(find_delay("wait at least 90 s before you reconnect"), 90s);
    EXPECT_EQ(find_delay("greylisted for 300 seconds"), 300s);
    EXPECT_EQ(find_delay("come back in 00:04:58"), 4min + 58s);
    EXPECT_EQ(find_delay("your ip is blocked for 24 hours"), 24h);
    EXPECT_EQ(find_delay("in 10 minutes, try it again"), 10min);
    EXPECT_EQ(find_delay("retry-after: 120"), 120s);
    EXPECT_EQ(find_delay("try again in an hour"), 1h);
    EXPECT_EQ(find_delay("later, in 2 days"), 48h);
}

TEST(RetryDelay, IsFoundInOtherLanguages) {
    EXPECT_EQ(find_delay("veuillez reessayer dans 5 minutes"), 5min);
    EXPECT_EQ(find_delay("intentelo en 10 minutos"), 10min);
    EXPECT_EQ(find_delay("riprovare tra 2 ore"), 2h);
    EXPECT_EQ(find_delay("tente novamente em 30 segundos"), 30s);
    EXPECT_EQ(find_delay("bitte versuchen sie es in 15 minuten erneut"), 15min);
}

TEST(RetryDelay, IsNotMadeOfTimesThatAreNone) {
    for (const char* text : {
             "",
             "try again later",
             "60 messages in 60 seconds",
             "limited to 60 messages in 60 seconds",
             "exceeded 100 mails per 10 minutes",
             "try again. at most 5 minutes per session",
             "retry in a few minutes",
             "wait 0 seconds",
             "wait 900 hours",
             "try again in 999999 days",
             "blocked 192.0.2.1",
             "error 421 after 5 commands",
         }) {
        EXPECT_EQ(find_delay(text), std::nullopt) << text;
    }
}

TEST(RetryDelay, OfALimitPerSecondIsKnown) {
    EXPECT_TRUE(names_seconds_limit("messages per second limit"));
    EXPECT_TRUE(names_seconds_limit("over 14/s"));
    EXPECT_FALSE(names_seconds_limit("per hour"));
    EXPECT_FALSE(names_seconds_limit("wait a second"));
}

TEST(RetryDelay, IsLookedForInLinearTime) {
    std::string text;
    for (int i = 0; i < 50'000; ++i) text += "again wait ";
    EXPECT_EQ(find_delay(text), std::nullopt);
    EXPECT_EQ(find_delay(std::string(500'000, '9')), std::nullopt);
}

}  // namespace
}  // namespace weir::policy
