// Relays are used in their order: another one when the first does not work, and the first again when it does.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::Not;
using testing::StartsWith;

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{first}}", "{{second}}"], connect_timeout: 2s}
limits: []
admin: {listen: "{{admin}}"}
)";

class Failover : public testing::Test {
protected:
    void SetUp() override {
        // Both have been asked what they offer; the connection to the preferred one is kept.
        weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}, {"relay", first_.address()}}, 1);
        second_.wait_for_command("QUIT");
        client_.greet();
    }

    int deliver() { return client_.deliver({}).decisive().code; }

    /// Messages until one has gone to `relay`: the clock of the real binary is being waited for.
    void deliver_until_used(const FakeUpstream& relay) {
        const std::size_t before = relay.accepted().size();
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (relay.accepted().size() == before) {
            ASSERT_EQ(deliver(), 250) << "no message may fail while a relay works";
            ASSERT_LT(std::chrono::steady_clock::now(), deadline);
            std::this_thread::sleep_for(20ms);
        }
    }

    FakeUpstream first_;
    FakeUpstream second_{"127.0.0.2"};
    WeirProcess weir_{configuration, {{"first", first_.address()}, {"second", second_.address()}}};
    SmtpClient client_{weir_.port("listen")};
};

TEST_F(Failover, UsesTheFirstRelayWhileItWorks) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(deliver(), 250);
    EXPECT_EQ(first_.accepted().size(), 3U);
    EXPECT_EQ(second_.accepted().size(), 0U);
}

TEST_F(Failover, UsesTheSecondWhileTheFirstRefusesConnectionsAndReturns) {
    first_.stop_listening();
    first_.close_all();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(deliver(), 250);
    EXPECT_EQ(second_.accepted().size(), 3U);

    first_.listen_again();
    deliver_until_used(first_);
    const std::size_t to_second = second_.accepted().size();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(deliver(), 250);
    EXPECT_EQ(second_.accepted().size(), to_second) << "new work went to the less preferred relay";
    second_.wait_for_open_connections(0);
}

struct Refusal {
    const char* name;
    Stage stage;
    Reaction reaction;
};

void PrintTo(const Refusal& refusal, std::ostream* out) {
    *out << refusal.name;
}

class RelayThatRefuses : public Failover, public testing::WithParamInterface<Refusal> {};

TEST_P(RelayThatRefuses, IsPassedOverForTheSameMessageAndReturnedTo) {
    first_.on(GetParam().stage, GetParam().reaction);
    first_.close_all();
    EXPECT_EQ(deliver(), 250);
    EXPECT_EQ(second_.accepted().size(), 1U);
    EXPECT_EQ(first_.accepted().size(), 0U);
    first_.forget_rules();
    deliver_until_used(first_);
}

INSTANTIATE_TEST_SUITE_P(
    Handshake, RelayThatRefuses,
    testing::Values(Refusal{"Greeting421", Stage::greeting, reply_and_close("421 4.7.0 too many connections")},
                    Refusal{"Greeting450", Stage::greeting, reply_and_close("450 4.7.1 greylisted")},
                    Refusal{"Greeting554", Stage::greeting, reply_and_close("554 5.7.1 blocked")},
                    Refusal{"GreetingDropped", Stage::greeting, drop()},
                    Refusal{"GreetingGarbage", Stage::greeting, reply("hello there")},
                    Refusal{"EhloTempfail", Stage::ehlo, reply("451 4.3.0 later")},
                    Refusal{"EhloRefused", Stage::ehlo, reply("550 5.7.1 no")},
                    Refusal{"Ehlo421", Stage::ehlo, reply_and_close("421 4.3.2 closing")}),
    [](const auto& test) { return test.param.name; });

TEST_F(Failover, PassesOverARelayThatNeverGreets) {
    first_.on(Stage::greeting, stall());
    first_.close_all();
    EXPECT_EQ(deliver(), 250);
    EXPECT_EQ(second_.accepted().size(), 1U);
}

TEST_F(Failover, AsksNoOtherRelayForAMessageThatWasAnsweredWith421) {
    first_.once(Stage::mail, reply_and_close("421 4.7.0 rate exceeded"));
    EXPECT_EQ(deliver(), 250) << "a kept connection that dies at MAIL is replaced";
    first_.once(Stage::rcpt, reply_and_close("421 4.7.0 rate exceeded"));
    const Heard heard = client_.deliver({}).decisive();
    EXPECT_THAT(heard.summary(), StartsWith("451 4.7.0 rate exceeded"));
    EXPECT_EQ(second_.accepted().size(), 0U);

    EXPECT_EQ(deliver(), 250);
    EXPECT_EQ(second_.accepted().size(), 1U) << "the next message goes to the other relay";
}

TEST_F(Failover, Says451WhenNoRelayWorks) {
    for (FakeUpstream* relay : {&first_, &second_}) {
        relay->stop_listening();
        relay->close_all();
    }
    const Heard heard = client_.deliver({}).decisive();
    EXPECT_THAT(heard.summary(), StartsWith("451 4.4.1 weir: relay unreachable: " + first_.address()));
    second_.listen_again();
    const auto deadline = std::chrono::steady_clock::now() + patience;
    int code = 451;
    while (code == 451 && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(50ms);  // the relays back off for a second
        code = deliver();
    }
    EXPECT_EQ(code, 250);
}

TEST(Offer, IsWhatAllRelaysOfferThatCanBeReached) {
    FakeUpstream first;
    FakeUpstream second("127.0.0.2");
    first.announce({"PIPELINING", "SIZE 5000", "8BITMIME", "DSN"});
    second.announce({"PIPELINING", "SIZE 9000", "8BITMIME", "SMTPUTF8"});
    WeirProcess weir(configuration, {{"first", first.address()}, {"second", second.address()}});
    weir.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
    second.wait_for_command("QUIT");
    SmtpClient client(weir.port("listen"));
    auto offer = client.greet();
    EXPECT_THAT(offer, Contains("SIZE 5000"));
    EXPECT_THAT(offer, Contains("8BITMIME"));
    EXPECT_THAT(offer, Not(Contains("DSN")));
    EXPECT_THAT(offer, Not(Contains("SMTPUTF8")));

    first.stop_listening();
    first.close_all();
    EXPECT_EQ(client.deliver({}).decisive().code, 250);
    SmtpClient later(weir.port("listen"));
    offer = later.greet();
    EXPECT_THAT(offer, Contains("SIZE 9000"));
    EXPECT_THAT(offer, Contains("SMTPUTF8"));
}

TEST(Stopping, DoesNotWaitForARelayThatIsSilent) {
    FakeUpstream silent;
    silent.on(Stage::greeting, stall());
    const BlackHole hole("127.0.0.3");
    WeirProcess weir(R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{silent}}", "[127.0.0.3]:{{hole}}"], connect_timeout: 5m}
)",
                     {{"silent", silent.address()}, {"hole", std::to_string(hole.port())}});
    silent.wait_for_stalled(1);
    const auto before = std::chrono::steady_clock::now();
    weir.signal(SIGTERM);
    EXPECT_EQ(weir.wait_exit(), 0);
    EXPECT_LT(std::chrono::steady_clock::now() - before, 10s);
}

TEST(Stopping, MayComeWhileRelaysAreJustBeingConnectedTo) {
    std::array<FakeUpstream, 10> silent;
    std::string relays;
    for (FakeUpstream& relay : silent) {
        relay.on(Stage::greeting, stall());
        relays += (relays.empty() ? "\"" : ", \"") + relay.address() + '"';
    }
    for (int i = 0; i < 20; ++i) {
        WeirProcess weir(R"(
listen: ["{{listen}}"]
upstream: {relays: [{{relays}}], connect_timeout: 5m}
)",
                         {{"relays", relays}});
        weir.signal(SIGTERM);
        EXPECT_EQ(weir.wait_exit(10s), 0);
    }
}

// The relay is down, and the administrator edits the file again and again.
TEST(Learning, TakesNoProcessorTimeHoweverOftenItIsReloaded) {
    FakeUpstream relay;
    relay.stop_listening();
    const auto yaml = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"]}
limits: []
admin: {listen: "{{admin}}"}
)";
    WeirProcess weir(yaml, {{"relay", relay.address()}});
    for (int i = 0; i < 3; ++i) weir.reload(yaml);
    const double before = weir.metric("process_cpu_seconds_total");
    std::this_thread::sleep_for(std::chrono::seconds(1));  // nothing can happen: that is what is measured
    EXPECT_LT(weir.metric("process_cpu_seconds_total") - before, 0.2) << "it spins";
    relay.listen_again();
    weir.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
}

}  // namespace
}  // namespace weir::test
