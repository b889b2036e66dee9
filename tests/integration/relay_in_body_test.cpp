// A relay that speaks out of turn, hangs up or stops reading while a body is on its way, and one that cannot be
// connected to at all. A "250" that was there before the final dot is never passed on.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "relay_fault.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream:
  relays: ["{{relay}}"]
  connect_timeout: 300ms
  timeouts: {envelope: 1s, data: 1s, body: 300ms, end_of_body: 1s}
limits: [{name: client, per: client, messages: 2/day}]
admin: {listen: "{{admin}}"}
)";

/// 64 KiB of lines.
std::string lines() {
    std::string text;
    while (text.size() < 64 * 1024) text += "a line of text that is exactly as long as sixty-four bytes are.\r\n";
    return text;
}

class RelayInBody : public testing::Test {
protected:
    void SetUp() override {
        weir_.wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
        relay_.close_all();
        relay_.forget_bodies();
        client_.greet();
    }

    void begin(const std::string& sender = "first@customer.example") {
        client_.send("XFORWARD ADDR=198.51.100.7 IDENT=" + std::to_string(++idents_) + "\r\nMAIL FROM:<" + sender +
                     ">\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
        for (const int code : {250, 250, 250, 354}) client_.expect(code);
    }

    /// Sends pieces of a body until Weir has given up the relay, then the dot.
    Heard send_until_lost_then_dot() {
        const std::string text = lines();
        do {
            client_.send(text);
            client_.socket().wait_until_read();
        } while (weir_.metric("weir_relay_connections", {{"state", "busy"}}) > 0);
        client_.send(".\r\n");
        return client_.read_reply();
    }

    void expect_that_all_is_well_with_budget_for(int messages) {
        EXPECT_EQ(client_.command("NOOP").code, 250);
        relay_.forget_rules();
        relay_.resume();
        for (int i = 0; i < messages; ++i) {
            begin("next" + std::to_string(i) + "@customer.example");
            client_.send("Hello.\r\n.\r\n");
            client_.expect(250);
        }
        client_.send("XFORWARD ADDR=198.51.100.7 IDENT=OVER\r\nMAIL FROM:<over@customer.example>\r\n");
        client_.expect(250);
        EXPECT_THAT(client_.expect(451).text, HasSubstr("is over"));
        weir_.wait_for_metric("weir_relay_connections", {{"state", "busy"}}, 0);
        for (const Transaction& transaction : relay_.transactions()) {
            EXPECT_THAT(transaction.sender(), StartsWith("next")) << "the lost message arrived after all";
        }
    }

    FakeUpstream relay_;
    WeirProcess weir_{configuration, {{"relay", relay_.address()}}};
    SmtpClient client_{weir_.port("listen")};
    int idents_ = 0;
};

struct Interruption {
    const char* name;
    Reaction reaction;
    const char* heard;
};

void PrintTo(const Interruption& interruption, std::ostream* out) {
    *out << interruption.name;
}

class Interrupted : public RelayInBody, public testing::WithParamInterface<Interruption> {};

TEST_P(Interrupted, IsDrainedToTheDotAndAnsweredOnce) {
    relay_.once(Stage::body, GetParam().reaction);
    begin();
    EXPECT_THAT(send_until_lost_then_dot().summary(), StartsWith(GetParam().heard));
    expect_that_all_is_well_with_budget_for(1);  // DATA had been accepted: it has cost something
}

INSTANTIATE_TEST_SUITE_P(
    InBody, Interrupted,
    testing::Values(Interruption{"Drop", drop(), "451 4.4.2"}, Interruption{"Reset", reset(), "451 4.4.2"},
                    Interruption{"Stall", stall(drop()), "451 4.4.2"},
                    Interruption{"Farewell", reply("421 4.3.2 shutting down"), "451 4.3.2 shutting down"},
                    Interruption{"FarewellAndClose", reply_and_close("421 4.3.2 bye"), "451 4.3.2 bye"},
                    Interruption{"Tempfail", reply("452 4.3.1 disk full"), "452 4.3.1 disk full"},
                    Interruption{"Permfail", reply("552 5.3.4 too big"), "552 5.3.4 too big"},
                    Interruption{"PermfailAndClose", reply_and_close("552 5.3.4 too big"), "552 5.3.4 too big"},
                    Interruption{"PrematureYes", reply("250 2.0.0 queued"), "451 4.4.2"},
                    Interruption{"PrematureYesAndClose", reply_and_close("250 2.0.0 queued"), "451 4.4.2"},
                    Interruption{"SecondGoAhead", reply("354 go ahead"), "451 4.4.2"},
                    Interruption{"Garbage", reply("what a nice day"), "451 4.4.2"},
                    Interruption{"Overlong", reply(std::string(3000, 'x')), "451 4.4.2"}),
    [](const auto& test) { return test.param.name; });

TEST_F(RelayInBody, YesInOneBreathWithTheGoAheadIsNoYes) {
    relay_.once(Stage::data, {.also = "250 2.0.0 queued\r\n"});
    begin();
    client_.send("Hello.\r\n.\r\n");
    EXPECT_THAT(client_.read_reply().summary(), StartsWith("451 4.4.2"));
    expect_that_all_is_well_with_budget_for(1);
}

TEST_F(RelayInBody, RefusalOfASmallBodyThatCameBeforeItsDotIsPassedOn) {
    relay_.once(Stage::data, {.also = "552 5.3.4 not you\r\n"});
    begin();
    client_.send("Hello.\r\n.\r\n");
    EXPECT_THAT(client_.read_reply().summary(), StartsWith("451 4.4.2"));
    expect_that_all_is_well_with_budget_for(1);
}

struct Early {
    const char* name;
    Stage before;
    const char* reply;
};

void PrintTo(const Early& early, std::ostream* out) {
    *out << early.name;
}

class EarlyReply : public RelayInBody, public testing::WithParamInterface<Early> {};

TEST_P(EarlyReply, IsNotTakenForTheAnswerToWhatComesNext) {
    relay_.on(GetParam().before, {.also = std::string(GetParam().reply) + "\r\n"});
    Message message;
    message.recipients = {"a@example.net", "b@example.net"};
    const Delivery delivery = client_.deliver(message);
    // A refusal too many may be taken for a recipient's; whatever happens, it does not end in a delivery.
    const bool is_refusal = GetParam().reply[0] == '5';
    EXPECT_GE(delivery.decisive().code, 400);
    EXPECT_LT(delivery.decisive().code, is_refusal ? 600 : 500) << delivery.decisive().summary();
    EXPECT_TRUE(relay_.transactions().empty());
    EXPECT_EQ(client_.command("NOOP").code, 250);
    weir_.wait_for_metric("weir_relay_connections", {{"state", "busy"}}, 0);
}

INSTANTIATE_TEST_SUITE_P(
    BeforeItsCommand, EarlyReply,
    testing::Values(Early{"Ehlo", Stage::greeting, "250 relay.test"}, Early{"Mail", Stage::ehlo, "250 2.1.0 ok"},
                    Early{"Rcpt", Stage::mail, "250 2.1.5 ok"}, Early{"RefusedRcpt", Stage::mail, "550 5.1.1 unknown"},
                    Early{"Data", Stage::rcpt, "354 go ahead"}, Early{"RefusedData", Stage::rcpt, "554 5.5.1 no"}),
    [](const auto& test) { return test.param.name; });

TEST(RelayThatAnswersNoConnect, IsGivenUpInTime) {
    // A backlog of none, and somebody in it: further connections are neither accepted nor refused.
    const ReservedPort port;
    const Socket listener = port.listen();
    ::listen(listener.descriptor(), 0);
    const Socket taken = Socket::connect(port.number());
    const WeirProcess weir(configuration, {{"relay", "[127.0.0.1]:" + std::to_string(port.number())}});
    SmtpClient client(weir.port("listen"));
    client.greet();
    EXPECT_THAT(client.deliver({}).decisive().summary(), StartsWith("451 4.4.1"));
    EXPECT_EQ(client.command("NOOP").code, 250);
    weir.wait_for_metric("weir_relay_connections", {}, 0);
}

TEST(RelayThatRefusesToConnect, IsAskedAgainAfterASecond) {
    FakeUpstream relay;
    relay.stop_listening();
    const WeirProcess weir(configuration, {{"relay", relay.address()}});
    SmtpClient client(weir.port("listen"));
    client.greet();
    Delivery delivery = client.deliver({});
    EXPECT_THAT(delivery.decisive().summary(), StartsWith("451 4.4.1"));
    relay.listen_again();
    while (delivery.decisive().code == 451) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the clock of the real binary is waited for
        delivery = client.deliver({});
    }
    EXPECT_EQ(delivery.decisive().code, 250);
}

}  // namespace
}  // namespace weir::test
