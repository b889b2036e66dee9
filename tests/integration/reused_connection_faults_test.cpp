// A relay connection that was kept: whatever befalls it between two messages, the next one is delivered, once, and
// Postfix notices nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "relay_fault.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

std::string configuration(int max_messages) {
    return R"(
listen: ["{{listen}}"]
upstream:
  relays: ["{{relay}}"]
  max_connections: 1
  max_messages_per_connection: )" +
           std::to_string(max_messages) + R"(
  timeouts: {envelope: 400ms, data: 400ms, body: 400ms, end_of_body: 400ms}
limits: [{name: client, per: client, messages: 3/day}]
admin: {listen: "{{admin}}"}
)";
}

class ReusedConnection : public testing::TestWithParam<NamedFault> {
protected:
    explicit ReusedConnection(int max_messages = 100)
        : weir_(configuration(max_messages), {{"relay", relay_.address()}}), client_(weir_.port("listen")) {}

    void SetUp() override {
        weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
        client_.greet();
        deliver(250);
    }

    void deliver(int code) {
        const std::string number = std::to_string(++messages_);
        Message message;
        message.origin = Forwarded::remote("198.51.100.7", "IDENT" + number);
        message.sender = "m" + number + "@customer.example";
        EXPECT_EQ(client_.deliver(message).decisive().code, code) << number;
    }

    /// Two messages are left of the three, and each arrives once.
    void expect_that_nobody_noticed() {
        deliver(250);
        deliver(250);
        deliver(451);
        EXPECT_EQ(relay_.transactions().size(), 3U);
        EXPECT_EQ(relay_.data_without_recipient(), 0U);
        EXPECT_EQ(client_.command("NOOP").code, 250);
        weir_.wait_for_metric("weir_relay_connections", {{"state", "busy"}}, 0);
    }

    FakeUpstream relay_;
    WeirProcess weir_;
    SmtpClient client_;
    int messages_ = 0;
};

auto name = [](const testing::TestParamInfo<NamedFault>& test) { return test.param.name; };

// After a probe the connection is reset before it serves again.
class AtReset : public ReusedConnection {};

TEST_P(AtReset, GoesUnnoticed) {
    for (const auto* line : {"MAIL FROM:<probe@customer.example>", "RCPT TO:<b@example.net>", "RSET"}) {
        EXPECT_EQ(client_.command(line).code, 250);
    }
    relay_.once(Stage::rset, reaction({Stage::rset, "Rset", "250"}, GetParam().fault));
    expect_that_nobody_noticed();
}

INSTANTIATE_TEST_SUITE_P(EachFault, AtReset, testing::ValuesIn(all_faults), name);

// Every connection is told to quit after one message; with room for only one, the next message needs its place.
class AtQuit : public ReusedConnection {
protected:
    AtQuit() : ReusedConnection(1) {}

    void SetUp() override {
        relay_.on(Stage::quit, reaction({Stage::quit, "Quit", "221"}, GetParam().fault));
        ReusedConnection::SetUp();
    }
};

TEST_P(AtQuit, GoesUnnoticed) {
    if (GetParam().fault == Fault::stall) {
        relay_.wait_for_stalled(1);  // the first message's connection
        relay_.forget_rules();
        relay_.resume();
    }
    expect_that_nobody_noticed();
}

INSTANTIATE_TEST_SUITE_P(EachFault, AtQuit, testing::ValuesIn(all_faults), name);

// Dead at once, or seemingly alive, when the envelope is said to it.
struct Place {
    NamedStage stage;
    NamedFault fault;
};

class AtEnvelope : public ReusedConnection {};

TEST_P(AtEnvelope, IsReplacedWhenItIsDeadAndOnlyThen) {
    constexpr std::array places{NamedStage{Stage::mail, "Mail", "250"}, NamedStage{Stage::rcpt, "Rcpt", "250"},
                                NamedStage{Stage::data, "Data", "354"}};
    int expected = 1;
    for (const NamedStage& place : places) {
        relay_.once(place.stage, reaction(place, GetParam().fault));
        // A silent relay has used up the time in which another could have been asked; a refusal is an answer.
        const bool is_farewell = GetParam().fault == Fault::farewell || GetParam().fault == Fault::farewell_and_close;
        const bool is_dead = effect_of(place, GetParam().fault) == Effect::loss && GetParam().fault != Fault::stall &&
                             GetParam().fault != Fault::wrong_class;
        const bool is_well = effect_of(place, GetParam().fault) == Effect::none;
        const std::string number = std::to_string(++messages_);
        Message message;
        message.origin = Forwarded::remote("192.0.2." + number);
        message.sender = "m" + number + "@customer.example";
        const Delivery delivery = client_.deliver(message);
        if (is_dead || is_well || (is_farewell && place.stage == Stage::mail)) {
            EXPECT_EQ(delivery.decisive().code, 250) << place.name << ": " << delivery.decisive().summary();
            ++expected;
        } else {
            EXPECT_GE(delivery.decisive().code, 400) << place.name;
        }
        EXPECT_EQ(client_.command("NOOP").code, 250);
        relay_.forget_rules();
        relay_.resume();
        Message next = message;
        next.sender = "next" + number + "@customer.example";
        next.origin = Forwarded::remote("192.0.2." + number, "OTHER");
        EXPECT_EQ(client_.deliver(next).decisive().code, 250) << place.name;
        ++expected;
    }
    EXPECT_EQ(relay_.transactions().size(), static_cast<std::size_t>(expected));
    weir_.wait_for_metric("weir_relay_connections", {{"state", "busy"}}, 0);
}

INSTANTIATE_TEST_SUITE_P(EachFault, AtEnvelope, testing::ValuesIn(all_faults), name);

// Nobody has asked it anything: it is just no longer good when the next message comes.
struct Idle {
    const char* name;
    void (*befall)(FakeUpstream&);
};

void PrintTo(const Idle& idle, std::ostream* out) {
    *out << idle.name;
}

class WhileIdle : public testing::TestWithParam<Idle> {
protected:
    FakeUpstream relay_;
    WeirProcess weir_{configuration(100), {{"relay", relay_.address()}}};
    SmtpClient client_{weir_.port("listen")};
};

TEST_P(WhileIdle, GoesUnnoticed) {
    weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
    client_.greet();
    for (int i = 0; i < 3; ++i) {
        Message message;
        message.origin = Forwarded::remote("198.51.100.7", "IDENT" + std::to_string(i));
        EXPECT_EQ(client_.deliver(message).decisive().code, 250);
        GetParam().befall(relay_);
    }
    EXPECT_EQ(client_.command("NOOP").code, 250);
    EXPECT_EQ(relay_.transactions().size(), 3U);
    EXPECT_GE(relay_.connections(), 3U);
}

INSTANTIATE_TEST_SUITE_P(
    EachFault, WhileIdle,
    testing::Values(Idle{"Drop", [](FakeUpstream& relay) { relay.close_all(); }},
                    Idle{"Reset", [](FakeUpstream& relay) { relay.reset_all(); }},
                    Idle{"Farewell", [](FakeUpstream& relay) { relay.say_to_all("421 4.4.2 idle timeout\r\n"); }},
                    Idle{"FarewellAndClose",
                         [](FakeUpstream& relay) {
                             relay.say_to_all("421 4.4.2 idle timeout\r\n");
                             relay.close_all();
                         }},
                    Idle{"Yes", [](FakeUpstream& relay) { relay.say_to_all("250 2.0.0 ok\r\n"); }},
                    Idle{"Refusal", [](FakeUpstream& relay) { relay.say_to_all("550 5.7.1 no\r\n"); }},
                    Idle{"GoAhead", [](FakeUpstream& relay) { relay.say_to_all("354 go ahead\r\n"); }},
                    Idle{"HalfALine", [](FakeUpstream& relay) { relay.say_to_all("250 2.0"); }},
                    Idle{"Garbage", [](FakeUpstream& relay) { relay.say_to_all("what a nice day\r\n"); }},
                    Idle{"Overlong", [](FakeUpstream& relay) { relay.say_to_all(std::string(100'000, 'x')); }}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace weir::test
