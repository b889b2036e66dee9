// Whatever the relay does, at whatever stage: Postfix hears one safe reply per command on a session that stays open,
// never a 250 that is not the relay's own; no message goes out twice by Weir's doing; connections and budgets are
// given back (promises 1 and 4). Every fault of relay_fault.hpp meets every stage; what is expected is computed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "relay_fault.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr int burst = 3;

/// With `relay` a word for one of the two relays.
std::string configuration(const std::string& relay) {
    return "upstream:\n  relays: [\"{{" + relay + R"(}}"]
  connect_timeout: 300ms
  timeouts: {envelope: 300ms, data: 300ms, body: 300ms, end_of_body: 300ms}
listen: ["{{listen}}"]
limits: [{name: client, per: client, messages: 3/day}]
admin: {listen: "{{admin}}"}
)";
}

constexpr std::array stages{
    NamedStage{Stage::greeting, "Greeting", "220"},
    NamedStage{Stage::ehlo, "Ehlo", "250"},
    NamedStage{Stage::mail, "Mail", "250"},
    NamedStage{Stage::rcpt, "FirstRcpt", "250", "first@example.net"},
    NamedStage{Stage::rcpt, "MiddleRcpt", "250", "middle@example.net"},
    NamedStage{Stage::rcpt, "LastRcpt", "250", "last@example.net"},
    NamedStage{Stage::data, "Data", "354"},
    NamedStage{Stage::dot, "Dot", "250"},
};

struct Case {
    NamedStage stage;
    NamedFault fault;

    [[nodiscard]] Effect effect() const { return effect_of(stage, fault.fault); }
    [[nodiscard]] bool is_handshake() const { return stage.stage == Stage::greeting || stage.stage == Stage::ehlo; }

    /// A recipient that is refused leaves the others alone, as long as the relay is there.
    [[nodiscard]] bool is_delivered() const {
        if (effect() == Effect::none) return true;
        return stage.stage == Stage::rcpt && effect() == Effect::refusal && fault.fault != Fault::farewell_and_close;
    }
    [[nodiscard]] bool has_reached_the_body() const { return is_delivered() || stage.stage == Stage::dot; }

    /// What the command is answered with that the fault hits.
    [[nodiscard]] std::string answer() const {
        if (is_handshake()) return "451 4.4.1";
        if (effect() == Effect::none) return std::string(stage.usual_code) + " ";
        if (fault.fault == Fault::tempfail) return "450 4.3.0 later";
        if (fault.fault == Fault::permfail) return "554 5.7.1 never";
        if (fault.fault == Fault::wrong_class) return "451 4.5.0";
        if (effect() == Effect::refusal) return "451 4.7.0 go away";
        return stage.stage == Stage::dot ? "451 4.4.2 weir: delivery unknown" : "451 4.4.2";
    }
};

void PrintTo(const Case& what, std::ostream* out) {
    *out << what.fault.name << " at " << what.stage.name;
}

std::vector<Case> all_cases() {
    std::vector<Case> cases;
    for (const NamedStage& stage : stages) {
        for (const NamedFault& fault : all_faults) cases.push_back({stage, fault});
    }
    return cases;
}

class RelayFault : public testing::TestWithParam<Case> {
protected:
    void SetUp() override {
        // The connection that was made to learn what the relay offers must not be the one that the fault hits: one
        // that was used before is replaced silently.
        weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
        relay_.close_all();
        client_.greet();
    }

    void cause(const Case& what) {
        const Reaction misdeed = reaction(what.stage, what.fault.fault);
        relay_.add_rule([=](const FakeUpstream::Step& step) -> std::optional<Reaction> {
            const bool is_here =
                step.stage == what.stage.stage &&
                (what.stage.recipient.empty() || step.line.find(what.stage.recipient) != step.line.npos);
            return is_here ? std::optional(misdeed) : std::nullopt;
        });
    }

    /// Each message has a sender and a queue ID of its own.
    Delivery deliver() {
        const std::string number = std::to_string(++messages_);
        Message message;
        message.origin = Forwarded::remote("198.51.100.7", "IDENT" + number);
        message.sender = "m" + number + "@customer.example";
        message.recipients = {"first@example.net", "middle@example.net", "last@example.net"};
        message.body = "Received: by mail.example (Postfix, from userid 0)\r\n\tid QUEUE" + number +
                       "; Tue, 24 Nov 2026 02:03:04 +0000 (UTC)\r\n" + message.body;
        Delivery delivery = client_.deliver(message);
        if (delivery.decisive().code == 250) expected_at_relay_.insert(message.sender);
        return delivery;
    }

    [[nodiscard]] static const Heard& heard_at(const NamedStage& stage, const Delivery& delivery) {
        if (stage.name == std::string_view("FirstRcpt")) return delivery.recipients.at(0);
        if (stage.name == std::string_view("MiddleRcpt")) return delivery.recipients.at(1);
        if (stage.name == std::string_view("LastRcpt")) return delivery.recipients.at(2);
        if (stage.stage == Stage::data) return delivery.data;
        return stage.stage == Stage::dot ? *delivery.dot : delivery.mail;
    }

    FakeUpstream relay_;
    FakeUpstream other_relay_;
    WeirProcess weir_{configuration("relay"), {{"relay", relay_.address()}, {"other", other_relay_.address()}}};
    SmtpClient client_{weir_.port("listen")};
    int messages_ = 0;
    std::multiset<std::string> expected_at_relay_;
};

TEST_P(RelayFault, BecomesOneSafeReplyAndNothingIsLostDoubledOrKept) {
    const Case& what = GetParam();
    cause(what);
    const Delivery hit = deliver();
    if (what.effect() != Effect::none || !what.is_handshake()) {
        EXPECT_THAT(heard_at(what.stage, hit).summary(), StartsWith(what.answer()));
    }
    EXPECT_EQ(hit.decisive().code == 250, what.is_delivered()) << hit.decisive().summary();
    const bool may_bounce = what.fault.fault == Fault::permfail && !what.is_handshake();
    EXPECT_LT(hit.decisive().code, may_bounce ? 600 : 500) << "Postfix would bounce it";
    EXPECT_EQ(client_.command("NOOP").code, 250);

    const bool is_unknown = what.stage.stage == Stage::dot && what.effect() == Effect::loss;
    EXPECT_EQ(weir_.metric("weir_outcome_unknown_total"), is_unknown ? 1 : 0);
    if (is_unknown) weir_.wait_for_log("relay_tempfail queue_id=QUEUE1 ident=IDENT1");
    weir_.wait_for_metric("weir_relay_connections", {{"state", "busy"}}, 0);

    relay_.forget_rules();
    relay_.resume();
    // A relay that could not be reached is left alone for a second; another one is there at once.
    const bool has_moved = what.is_handshake() && what.effect() != Effect::none;
    if (has_moved) weir_.reload(configuration("other"));
    // What got no further than the envelope has cost its sender nothing.
    const int left = what.has_reached_the_body() ? burst - 1 : burst;
    for (int i = 0; i < left; ++i) EXPECT_THAT(deliver().decisive().summary(), StartsWith("250"));
    EXPECT_THAT(deliver().decisive().text, HasSubstr("is over \"client\""));

    // A relay that was silent judges what it had got when it comes to itself, on a thread of its own.
    if (what.stage.stage == Stage::dot && hit.decisive().code != 250) expected_at_relay_.insert("m1@customer.example");
    (has_moved ? other_relay_ : relay_).wait_for_transactions(expected_at_relay_.size());
    std::multiset<std::string> seen;
    for (const Transaction& transaction : (has_moved ? other_relay_ : relay_).transactions())
        seen.insert(transaction.sender());
    EXPECT_EQ(seen, expected_at_relay_);
    EXPECT_EQ(relay_.data_without_recipient(), 0U);
    weir_.wait_for_metric("weir_relay_connections", {{"state", "busy"}}, 0);
    // None is left but those in the pool; one that was given up may still be saying goodbye.
    const auto open = [&] { return weir_.metric("weir_sessions", {{"side", "relay"}}); };
    const auto idle = [&] { return weir_.metric("weir_relay_connections", {{"state", "idle"}}); };
    const auto deadline = std::chrono::steady_clock::now() + patience;
    bool is_settled = false;
    while (!is_settled && std::chrono::steady_clock::now() < deadline) is_settled = open() == idle();
    EXPECT_TRUE(is_settled) << open() << " open, " << idle() << " idle";
    client_.quit();
}

INSTANTIATE_TEST_SUITE_P(EachStage, RelayFault, testing::ValuesIn(all_cases()),
                         [](const auto& test) { return std::string(test.param.stage.name) + test.param.fault.name; });

}  // namespace
}  // namespace weir::test
