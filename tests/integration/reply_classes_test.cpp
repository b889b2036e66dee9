// What the relay says is counted by what it means, whatever its code is, and in the operator's words first.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"]}
limits: []
feedback: {classify: [{pattern: "our own wording", class: reputation}]}
admin: {listen: "{{admin}}"}
)";

class ReplyClasses : public testing::Test {
protected:
    void SetUp() override {
        client_.greet();
        weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
    }

    void expect_class(Stage stage, const char* said, const char* expected) {
        const double before = weir_.metric("weir_relay_replies_total", {{"class", expected}});
        relay_.once(stage, reply(said));
        client_.deliver({});
        weir_.wait_for_metric("weir_relay_replies_total", {{"class", expected}}, before + 1);
    }

    FakeUpstream relay_;
    WeirProcess weir_{configuration, {{"relay", relay_.address()}}};
    SmtpClient client_{weir_.port("listen")};
};

TEST_F(ReplyClasses, AreCountedAtEveryStage) {
    expect_class(Stage::mail, "450 4.7.1 you have sent too many messages in the last hour", "rate");
    expect_class(Stage::rcpt, "550 5.1.1 no such user", "recipient");
    expect_class(Stage::data, "451 4.3.0 out of disk space", "system");
    expect_class(Stage::dot, "552 5.3.4 message size exceeds the fixed limit", "content");
    expect_class(Stage::dot, "454 Throttling failure: Maximum sending rate exceeded.", "rate");
}

TEST_F(ReplyClasses, FollowTheOperatorsPatternsFirst) {
    expect_class(Stage::mail, "451 4.3.0 this is our own wording of no such user", "reputation");
}

TEST_F(ReplyClasses, OfAGreetingAreCountedToo) {
    relay_.close_all();
    relay_.once(Stage::greeting, reply_and_close("554 5.7.1 your address is listed in a blocklist"));
    client_.deliver({});
    weir_.wait_for_metric("weir_relay_replies_total", {{"class", "reputation"}}, 1);
}

TEST_F(ReplyClasses, OfAMessageThatWentThroughAreOk) {
    client_.deliver({});
    weir_.wait_for_metric("weir_relay_replies_total", {{"class", "ok"}}, 4);  // MAIL, RCPT, DATA and the dot
}

}  // namespace
}  // namespace weir::test
