// One client is over its limit: it hears 451 with the reason, its session goes on, and nobody else notices.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::Each;
using testing::Field;
using testing::MatchesRegex;

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"]}
limits:
  - {name: client, per: client, messages: 2/h}
admin: {listen: "{{admin}}"}
)";

class HeldClient : public testing::Test {
protected:
    Delivery deliver_from(const std::string& client) {
        Message message;
        message.origin = Forwarded::remote(client);
        return client_.deliver(message);
    }

    void SetUp() override {
        // The connection that was made to learn what the relay offers is back in the pool.
        weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
        client_.greet();
    }

    FakeUpstream relay_;
    WeirProcess weir_{configuration, {{"relay", relay_.address()}}};
    SmtpClient client_{weir_.port("listen")};
};

TEST_F(HeldClient, HearsWhyAndWhenToComeBack) {
    for (int i = 0; i < 2; ++i) EXPECT_EQ(deliver_from("203.0.113.9").decisive().code, 250);
    const Delivery held = deliver_from("203.0.113.9");
    EXPECT_THAT(held.mail.summary(),
                MatchesRegex("451 4.7.1 weir: client 203.0.113.9 is over \"client\" \\(2/h messages\\); "
                             "next slot in [0-9]+ min; ref=[0-9A-F]+"));
    EXPECT_THAT(held.recipients, Each(Field(&Heard::code, testing::AllOf(testing::Ge(400), testing::Lt(500)))));
    EXPECT_THAT(held.data.code, testing::AllOf(testing::Ge(400), testing::Lt(500)));
}

TEST_F(HeldClient, HoldsBackNobodyElseOnTheSameConnection) {
    for (int i = 0; i < 50; ++i) deliver_from("203.0.113.9");
    EXPECT_EQ(deliver_from("198.51.100.7").decisive().code, 250);
    EXPECT_EQ(relay_.wait_for_accepted(3).size(), 3U);
    EXPECT_EQ(relay_.connections(), 1U);
}

TEST_F(HeldClient, IsNotToldApartByItsSenderDomains) {
    for (int i = 0; i < 10; ++i) {
        Message message;
        message.origin = Forwarded::remote("203.0.113.9");
        message.sender = "x@made-up-" + std::to_string(i) + ".example";
        client_.deliver(message);
    }
    EXPECT_EQ(relay_.accepted().size(), 2U);
}

TEST_F(HeldClient, LeavesItsOriginToItsOwnMessage) {
    for (int i = 0; i < 3; ++i) deliver_from("203.0.113.9");
    Message local;
    local.origin = Forwarded::local();
    EXPECT_EQ(client_.deliver(local).decisive().code, 250);
}

TEST_F(HeldClient, IsCounted) {
    for (int i = 0; i < 5; ++i) deliver_from("203.0.113.9");
    weir_.wait_for_metric("weir_held_total", {{"reason", "limit"}, {"limit", "client"}}, 3);
    weir_.wait_for_metric("weir_transactions_total", {{"outcome", "held"}}, 3);
    weir_.wait_for_metric("weir_transactions_total", {{"outcome", "relayed"}}, 2);
}

}  // namespace
}  // namespace weir::test
