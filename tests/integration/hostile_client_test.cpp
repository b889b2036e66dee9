// What a stranger may try: boundaries that the relay would see and Weir would not, broken lines, a flood of made-up
// keys, a peer that nobody trusts. Promises 6, 9 and 10.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using namespace std::string_literals;

constexpr auto configuration = R"(
listen: ["{{listen}}"]
trusted_clients: [127.0.0.1, 127.0.0.3]
upstream: {relays: ["{{relay}}"]}
admin: {listen: "{{admin}}"}
)";

class HostileClient : public testing::Test {
protected:
    void begin(SmtpClient& client) {
        client.send("MAIL FROM:<a@customer.example>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
        client.expect(250);
        client.expect(250);
        client.expect(354);
    }

    FakeUpstream relay_;
    WeirProcess weir_{configuration, {{"relay", relay_.address()}}};
};

struct Vector {
    const char* name;
    std::string bytes;
    bool ends;  ///< whether CRLF.CRLF stands in it at the end
};

class Smuggling : public HostileClient, public testing::WithParamInterface<Vector> {};

TEST_P(Smuggling, ReachesTheRelayAsNoMessage) {
    const Vector& vector = GetParam();
    SmtpClient client(weir_.port("listen"));
    client.greet();
    begin(client);
    client.send("Subject: x\r\n\r\nfirst" + vector.bytes +
                "MAIL FROM:<smuggled@evil.example>\r\nRCPT TO:<v@example.net>\r\nDATA\r\n");
    client.send("second\r\n.\r\n");
    EXPECT_EQ(client.read_reply().summary().substr(0, 9), "550 5.5.2");
    EXPECT_EQ(client.command("NOOP").code, 250);
    EXPECT_TRUE(relay_.accepted().empty());
    EXPECT_THAT(relay_.commands(), Not(testing::Contains(HasSubstr("smuggled"))));
    EXPECT_EQ(client.deliver({}).decisive().code, 250);
}

INSTANTIATE_TEST_SUITE_P(
    EachVector, Smuggling,
    testing::Values(Vector{"LfDotLf", "\n.\n", false}, Vector{"LfDotCrlf", "\n.\r\n", false},
                    Vector{"CrDotCr", "\r.\r", false}, Vector{"CrDotCrlf", "\r.\r\n", false},
                    Vector{"CrlfDotLf", "\r\n.\n", false}, Vector{"CrlfDotCr", "\r\n.\r", false},
                    Vector{"CrDotLf", "\r.\n", false}, Vector{"LfDotCr", "\n.\r", false},
                    Vector{"CrlfNulDotCrlf", "\r\n\0.\r\n"s, false}, Vector{"CrlfDotNulCrlf", "\r\n.\0\r\n"s, false},
                    Vector{"CrNulLfDotCrlf", "\r\0\n.\r\n"s, false}, Vector{"CrlfDotCrNulLf", "\r\n.\r\0\n"s, false},
                    Vector{"CrlfDotCrCrlf", "\r\n.\r\r\n", false}, Vector{"CrCrlfDotCrCrlf", "\r\r\n.\r\r\n", false}),
    [](const auto& test) { return test.param.name; });

TEST_F(HostileClient, MayNotHideACommandBehindABareLineFeed) {
    SmtpClient client(weir_.port("listen"));
    client.greet();
    EXPECT_THAT(client.command("MAIL FROM:<a@customer.example>\nRCPT TO:<x@example.net>").summary(),
                StartsWith("550 5.5.2"));
    EXPECT_THAT(relay_.commands(), Not(testing::Contains(StartsWith("RCPT"))));
}

TEST_F(HostileClient, MayNotConnectUntrusted) {
    SmtpClient stranger(weir_.port("listen"), "127.0.0.2");
    EXPECT_THAT(stranger.read_reply().summary(), StartsWith("554 5.7.1"));
    stranger.expect_close();
    SmtpClient friendly(weir_.port("listen"), "127.0.0.3");
    friendly.greet();
}

TEST_F(HostileClient, IsSentAwayAfterTooManyErrors) {
    SmtpClient client(weir_.port("listen"));
    client.greet();
    Heard last;
    for (int i = 0; i < 30 && last.code != 421; ++i) last = client.command("NONSENSE");
    EXPECT_THAT(last.summary(), StartsWith("421 4.7.0"));
    client.expect_close();
}

TEST_F(HostileClient, GetsOneReplyForAnEndlessLine) {
    SmtpClient client(weir_.port("listen"));
    client.greet();
    client.send(std::string(1'000'000, 'x') + "\r\n");
    EXPECT_EQ(client.read_reply().code, 500);
    EXPECT_EQ(client.command("NOOP").code, 250);
}

TEST_F(HostileClient, CannotGrowTheMetricsWithMadeUpNames) {
    SmtpClient client(weir_.port("listen"));
    client.greet();
    const auto series = [&] {
        const std::string text = weir_.metrics();
        return std::count(text.begin(), text.end(), '\n');
    };
    client.deliver({});
    Message held;
    held.origin = Forwarded::remote("192.0.2.1");
    for (int i = 0; i < 12; ++i) {
        held.sender = "x@domain" + std::to_string(i) + ".example";
        client.deliver(held);  // over the limit after some: the series of held mail exist from here on
    }
    const auto before = series();
    for (int i = 0; i < 3000; ++i) {
        Message message;
        message.origin = Forwarded::remote("10." + std::to_string(i / 250) + ".0." + std::to_string(i % 250),
                                           "Q" + std::to_string(i));
        message.sender = "u@made-up-" + std::to_string(i) + ".example";
        client.deliver(message);
    }
    EXPECT_LE(series(), before + 20) << "at most the twenty top origins may be new";
}

TEST(LargeMessage, PassesUnchangedInAFixedBuffer) {
    FakeUpstream relay;
    relay.announce({"PIPELINING", "SIZE", "8BITMIME"});
    const WeirProcess weir(configuration, {{"relay", relay.address()}});
    SmtpClient client(weir.port("listen"));
    client.greet();
    EXPECT_EQ(client.deliver({}).decisive().code, 250);
    const double before = weir.metric("process_resident_memory_bytes");
    Message large;
    for (int i = 0; i < 500'000; ++i)
        large.body += ".. a line that begins with a dot, and some more text to fill it\r\n";
    EXPECT_EQ(client.deliver(large).decisive().code, 250);
    EXPECT_EQ(relay.wait_for_accepted(2).back().body, large.body);
    EXPECT_LT(weir.metric("process_resident_memory_bytes") - before, 4e6) << "32 MB have passed";
}

}  // namespace
}  // namespace weir::test
