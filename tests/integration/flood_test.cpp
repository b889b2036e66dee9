// Too much of everything: long lines, large messages, errors, made-up names. Memory stays flat, and what is refused
// once stays refused (promise 6).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "support/fake_upstream.hpp"
#include "support/sanitizers.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::HasSubstr;

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"]}
limits: []
admin: {listen: "{{admin}}"}
)";

class Flood : public testing::Test {
protected:
    void SetUp() override {
        weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
        relay_.forget_bodies();
        client_.greet();
    }

    [[nodiscard]] double memory() const { return weir_.metric("process_resident_memory_bytes"); }

    FakeUpstream relay_;
    WeirProcess weir_{configuration, {{"relay", relay_.address()}}};
    SmtpClient client_{weir_.port("listen")};
};

TEST_F(Flood, OfCommandsOfAnyLengthGetsOneReplyEach) {
    const double before = memory();
    for (const std::size_t length : {511U, 512U, 513U, 2048U, 8191U, 8192U, 8193U, 8194U, 65'536U, 10'485'760U}) {
        client_.send("NOOP " + std::string(length - 5, 'x') + "\r\n");
        EXPECT_EQ(client_.read_reply().code, length <= 8192 ? 250 : 500) << length;
    }
    EXPECT_EQ(client_.command("NOOP").code, 250);
    EXPECT_LT(memory() - before, 2e6 + sanitizers_share());
}

TEST_F(Flood, OfBytesInOneLineOfABodyPassesThrough) {
    const double before = memory();
    client_.send("MAIL FROM:<a@customer.example>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
    for (const int code : {250, 250, 354}) client_.expect(code);
    const std::string part(1'000'000, 'x');
    for (int i = 0; i < 50; ++i) client_.send(part);
    client_.send("\r\n.\r\n");
    client_.expect(250);
    EXPECT_LT(memory() - before, 2e6 + sanitizers_share());
}

TEST_F(Flood, OfErrorsIsAnsweredToTheEndAndThenTheSessionEnds) {
    std::string flood;
    for (int i = 0; i < 1000; ++i) flood += "NONSENSE\r\n";
    client_.send(flood);
    constexpr int forgiven = 20;
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(client_.read_reply().code, i < forgiven ? 500 : 421) << i;
    SmtpClient other(weir_.port("listen"));
    other.greet();
    EXPECT_EQ(other.deliver({}).decisive().code, 250);
}

// A relay that stops reading stops the client, not the memory.
TEST_F(Flood, OfTwoHundredMegabytesWaitsForARelayThatDoesNotRead) {
    relay_.announce({"PIPELINING", "8BITMIME"});
    EXPECT_EQ(client_.deliver({}).decisive().code, 250);
    relay_.once(Stage::body, stall());
    const double before = memory();
    client_.send("MAIL FROM:<a@customer.example>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
    for (const int code : {250, 250, 354}) client_.expect(code);
    constexpr int pieces = 200;
    std::atomic<int> sent{0};
    std::thread sender([&] {
        std::string text;
        while (text.size() < 1'000'000) text += "a line of text that is exactly as long as sixty-four bytes are.\r\n";
        for (; sent < pieces; ++sent) client_.send(text);
        client_.send(".\r\n");
    });
    relay_.wait_for_stalled(1);
    for (int earlier = -1; earlier != sent;) {
        earlier = sent;
        std::this_thread::sleep_for(std::chrono::milliseconds(200));  // until nothing moves any more
    }
    EXPECT_LT(sent, pieces / 2) << "there is no back-pressure";
    EXPECT_LT(memory() - before, 2e6 + sanitizers_share());
    relay_.resume();
    sender.join();
    client_.expect(250);
    EXPECT_LT(memory() - before, 2e6 + sanitizers_share()) << "200 MB have passed";
}

// Each key is new, so each would begin with a full burst; the table is full long before they end.
TEST(MadeUpNames, FillATableOfFixedSizeAndDoNotFreeWhoIsHeld) {
    FakeUpstream relay;
    const WeirProcess weir(R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"]}
max_keys: 1000
limits:
  - {name: client, per: client, messages: 2/day}
  - {name: sender, per: sender, messages: 5/day}
admin: {listen: "{{admin}}"}
log: {level: warning}
)",
                           {{"relay", relay.address()}});
    SmtpClient client(weir.port("listen"));
    client.greet();
    Message held;
    held.origin = Forwarded::remote("203.0.113.9");
    for (int i = 0; i < 3; ++i) {
        held.origin.ident = "HELD" + std::to_string(i);
        EXPECT_EQ(client.deliver(held).decisive().code, i < 2 ? 250 : 451);
    }
    Message stranger;
    stranger.sender = "warm@up.example";
    for (int i = 0; i < 3; ++i) {
        stranger.origin = Forwarded::remote("198.51.100.1", "WARM" + std::to_string(i));
        EXPECT_LT(client.deliver(stranger).decisive().code, 500);
    }
    const std::string metrics_before = weir.metrics();
    const auto series_before = std::count(metrics_before.begin(), metrics_before.end(), '\n');
    const double memory_before = weir.metric("process_resident_memory_bytes");

    constexpr int batch = 100;
    constexpr int batches = 40;
    for (int b = 0; b < batches; ++b) {
        std::string group;
        for (int i = 0; i < batch; ++i) {
            const int n = b * batch + i;
            group += "XFORWARD ADDR=10." + std::to_string(n / 65536) + "." + std::to_string(n / 256 % 256) + "." +
                     std::to_string(n % 256) + " HELO=h" + std::to_string(n) + ".example IDENT=Q" + std::to_string(n) +
                     "\r\nMAIL FROM:<u" + std::to_string(n) + "@made-up-" + std::to_string(n) + ".example>\r\nRSET\r\n";
        }
        client.send(group);
        for (int i = 0; i < 3 * batch; ++i) {
            const int code = client.read_reply().code;
            ASSERT_TRUE(code == 250 || code == 451) << code;
        }
    }
    EXPECT_LE(weir.metric("weir_tracked_keys", {{"limit", "client"}}), 1000);
    EXPECT_LE(weir.metric("weir_tracked_keys", {{"limit", "sender"}}), 1000);
    const std::string metrics_after = weir.metrics();
    EXPECT_LE(std::count(metrics_after.begin(), metrics_after.end(), '\n'), series_before + 20) << "the top origins";
    EXPECT_THAT(metrics_after, testing::Not(HasSubstr("made-up")));
    EXPECT_LT(weir.metric("process_resident_memory_bytes") - memory_before, 8e6 + sanitizers_share());

    held.origin.ident = "HELD9";
    EXPECT_THAT(client.deliver(held).decisive().text, HasSubstr("is over \"client\""));
}

}  // namespace
}  // namespace weir::test
