// TLS towards the relay: what each level insists on, what an attacker in between can do, and what it costs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/certificates.hpp"
#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"], tls: {{tls}}, connect_timeout: 1s, max_messages_per_connection: {{messages}}}
limits: []
admin: {listen: "{{admin}}"}
)";

class TlsToRelay : public testing::Test {
protected:
    /// Starts weir with these values of upstream.tls; {{ca}} is the file of our own CA.
    void start(const std::string& tls, const std::string& messages = "100") {
        weir_ = std::make_unique<WeirProcess>(
            configuration,
            WeirProcess::Words{
                {"relay", relay_.address()}, {"tls", tls}, {"messages", messages}, {"ca", ca_.file().string()}});
    }

    [[nodiscard]] std::string secure() const { return "{level: secure, ca_file: " + ca_.file().string() + "}"; }

    Heard deliver() {
        SmtpClient client(weir_->port("listen"));
        client.greet();
        const Heard heard = client.deliver({}).decisive();
        client.quit();
        return heard;
    }

    /// What the relay got to read of us without TLS.
    [[nodiscard]] std::vector<std::string> mail_in_clear_text() const {
        std::vector<std::string> lines = relay_.clear_text();
        std::erase_if(lines, [](const std::string& line) {
            return line.starts_with("EHLO") || line.starts_with("HELO") || line == "STARTTLS" || line == "QUIT";
        });
        return lines;
    }

    TemporaryDirectory directory_;
    TestCa ca_{directory_.path()};
    FakeUpstream relay_;
    std::unique_ptr<WeirProcess> weir_;
};

TEST_F(TlsToRelay, MayUsesItWhereItIsOffered) {
    relay_.use_tls(ca_.issue({"DNS:somebody.else"}, std::chrono::hours(-1)));
    start("{level: may}");
    EXPECT_EQ(deliver().code, 250);
    EXPECT_THAT(mail_in_clear_text(), testing::IsEmpty());
}

TEST_F(TlsToRelay, MayGoesWithoutWhereItIsNotOffered) {
    start("{level: may}");
    EXPECT_EQ(deliver().code, 250);
}

TEST_F(TlsToRelay, MayGoesWithoutWhereTheHandshakeFails) {
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}));
    relay_.on(Stage::handshake, drop());
    start("{level: may}");
    EXPECT_EQ(deliver().code, 250);
    weir_->wait_for_log("going on in clear text");
}

TEST_F(TlsToRelay, NoneDoesNotUseItEvenWhereItIsOffered) {
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}));
    start("{level: none}");
    EXPECT_EQ(deliver().code, 250);
    EXPECT_THAT(relay_.commands(), Not(Contains("STARTTLS")));
}

TEST_F(TlsToRelay, SecureAcceptsACertificateForTheRelaysAddress) {
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}));
    start(secure());
    EXPECT_EQ(deliver().code, 250);
    EXPECT_THAT(mail_in_clear_text(), testing::IsEmpty());
    EXPECT_EQ(relay_.accepted().size(), 1U);
}

TEST_F(TlsToRelay, SecureAcceptsTheNameThatTheOperatorGave) {
    relay_.use_tls(ca_.issue({"DNS:*.isp.test", "DNS:other.test"}));
    start("{level: secure, server_name: smtp.isp.test, ca_file: {{ca}}}");
    EXPECT_EQ(deliver().code, 250);
}

TEST_F(TlsToRelay, WrapperModeSpeaksTlsFromTheFirstByte) {
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}), {.wrapper = true});
    start("{level: secure, wrapper: true, ca_file: {{ca}}}");
    EXPECT_EQ(deliver().code, 250);
    EXPECT_THAT(relay_.clear_text(), testing::IsEmpty());
    EXPECT_THAT(relay_.commands(), Not(Contains("STARTTLS")));
}

TEST_F(TlsToRelay, ShowsItsCertificateToARelayThatAsksForOne) {
    const Identity own = ca_.issue({"DNS:mail.customer.test"});
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}), {.client_ca = ca_.file()});
    start("{level: secure, ca_file: {{ca}}, cert_file: " + own.certificate.string() +
          ", key_file: " + own.key.string() + "}");
    EXPECT_EQ(deliver().code, 250);
}

TEST_F(TlsToRelay, WithoutTheCertificateThatIsAskedForKeepsTheMail) {
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}), {.client_ca = ca_.file()});
    start(secure());
    EXPECT_EQ(deliver().code, 451);
    EXPECT_THAT(mail_in_clear_text(), testing::IsEmpty());
}

TEST_F(TlsToRelay, IsNothingOlderThanTls12) {
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}), {.is_old = true});
    start("{level: encrypt}");
    EXPECT_THAT(deliver().summary(), AllOf(StartsWith("451 4.7.5"), HasSubstr("TLS: ")));
    EXPECT_THAT(mail_in_clear_text(), testing::IsEmpty());
}

TEST_F(TlsToRelay, PassesOverARelayThatCannotBeTrusted) {
    FakeUpstream good("127.0.0.2");
    good.use_tls(ca_.issue({"IP:127.0.0.2"}));
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}, std::chrono::hours(-1)));
    weir_ = std::make_unique<WeirProcess>(
        configuration,
        WeirProcess::Words{
            {"relay", relay_.address() + "\", \"" + good.address()}, {"tls", secure()}, {"messages", "1"}});
    EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(good.accepted().size(), 1U);
    EXPECT_THAT(mail_in_clear_text(), testing::IsEmpty());
}

TEST_F(TlsToRelay, ALargeBodyArrivesUnchanged) {
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}));
    start(secure());
    Message message;
    for (int i = 0; i < 200'000; ++i) message.body += "line " + std::to_string(i) + " of a message\r\n";
    SmtpClient client(weir_->port("listen"));
    client.greet();
    EXPECT_EQ(client.deliver(message).decisive().code, 250);
    EXPECT_EQ(relay_.wait_for_accepted(1).front().body, message.body);
}

TEST_F(TlsToRelay, ConnectionsAreKeptAndSessionsResumed) {
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}));
    start(secure(), /*messages=*/"5");
    // The connection that was made to learn what the relay offers is back in the pool.
    weir_->wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
    for (int i = 0; i < 12; ++i) EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(relay_.connections(), 3U);
    EXPECT_EQ(weir_->metric("weir_relay_tls_handshakes_total", {{"resumed", "false"}}), 1);
    EXPECT_EQ(weir_->metric("weir_relay_tls_handshakes_total", {{"resumed", "true"}}), 2);
}

TEST_F(TlsToRelay, AReloadThatAsksForMoreReplacesTheConnections) {
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}));
    start("{level: none}");
    EXPECT_EQ(deliver().code, 250);
    weir_->reload(std::string(configuration).replace(std::string(configuration).find("{{tls}}"), 7, secure()));
    EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(mail_in_clear_text().size(), 3U) << "one MAIL, RCPT and DATA from before the reload";
}

TEST_F(TlsToRelay, AFileThatCannotBeUsedIsAFailedStartAndARefusedReload) {
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}));
    start("{level: may}");
    weir_->reload(
        std::string(configuration)
            .replace(std::string(configuration).find("{{tls}}"), 7, "{level: secure, ca_file: {{dir}}/none.pem}"));
    EXPECT_EQ(weir_->metric("weir_config_last_reload_successful"), 0);
    weir_->wait_for_log("none.pem cannot be used");
    EXPECT_EQ(deliver().code, 250);
}

struct Refusal {
    const char* name;
    std::string level;
    std::vector<std::string> names;  ///< of the certificate
    std::chrono::hours lifetime;
    const char* says;
};

class UntrustedRelay : public TlsToRelay, public testing::WithParamInterface<Refusal> {};

TEST_P(UntrustedRelay, GetsNoMailAndPostfixKeepsIt) {
    relay_.use_tls(ca_.issue(GetParam().names, GetParam().lifetime));
    start(GetParam().level);
    const Heard heard = deliver();
    EXPECT_THAT(heard.summary(), StartsWith("451 4.7.5"));
    EXPECT_THAT(heard.text, HasSubstr(GetParam().says));
    EXPECT_THAT(mail_in_clear_text(), testing::IsEmpty());
    EXPECT_TRUE(relay_.transactions().empty());
}

using std::chrono::hours;
INSTANTIATE_TEST_SUITE_P(
    T, UntrustedRelay,
    testing::Values(
        Refusal{"UnknownCa", "{level: secure}", {"IP:127.0.0.1"}, hours(24), "unable to get local issuer certificate"},
        Refusal{"Expired", "{level: secure, ca_file: {{ca}}}", {"IP:127.0.0.1"}, hours(-1), "expired"},
        Refusal{"OtherAddress", "{level: secure, ca_file: {{ca}}}", {"IP:127.0.0.2"}, hours(24), "mismatch"},
        Refusal{"AddressAsName", "{level: secure, ca_file: {{ca}}}", {"DNS:127.0.0.1"}, hours(24), "mismatch"},
        Refusal{"OtherName",
                "{level: secure, server_name: a.test, ca_file: {{ca}}}",
                {"DNS:b.test"},
                hours(24),
                "mismatch"},
        Refusal{"WildcardOverATopLevelDomain",
                "{level: secure, server_name: isp.test, ca_file: {{ca}}}",
                {"DNS:*.test.isp.test"},
                hours(24),
                "mismatch"}),
    [](const auto& test) { return test.param.name; });

struct Trick {
    const char* name;
    Stage stage;
    Reaction reaction;
    const char* heard;
};

void PrintTo(const Trick& trick, std::ostream* out) {
    *out << trick.name;
}

/// The levels that insist on TLS.
class Insisting : public TlsToRelay, public testing::WithParamInterface<std::tuple<const char*, Trick>> {};

TEST_P(Insisting, NeverFallsBackToClearText) {
    const auto& [level, trick] = GetParam();
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}));
    relay_.on(trick.stage, trick.reaction);
    start(std::string(level) == "secure" ? secure() : "{level: encrypt}");
    const Heard heard = deliver();
    EXPECT_THAT(heard.summary(), StartsWith("451 4."));
    EXPECT_THAT(heard.summary(), HasSubstr(trick.heard));
    EXPECT_THAT(mail_in_clear_text(), testing::IsEmpty());
    EXPECT_TRUE(relay_.transactions().empty());
}

INSTANTIATE_TEST_SUITE_P(
    EveryTrick, Insisting,
    testing::Combine(
        testing::Values("encrypt", "secure"),
        testing::Values(Trick{"NotOffered", Stage::ehlo, reply("250-relay.test\r\n250 SIZE 1000"), "does not offer it"},
                        Trick{"EhloUnknown", Stage::ehlo, reply("502 5.5.1 what?"), "does not offer it"},
                        Trick{"Said454", Stage::starttls, reply("454 4.7.0 no TLS today"), "no TLS today"},
                        Trick{"Said502", Stage::starttls, reply("502 5.5.1 what?"), "what?"},
                        Trick{"Said530", Stage::starttls, reply("530 5.7.0 log in first"), "log in first"},
                        Trick{"Said354", Stage::starttls, reply("354 go ahead"), "go ahead"},
                        Trick{"Said221", Stage::starttls, reply("221 2.0.0 bye"), "bye"},
                        Trick{"Said421", Stage::starttls, reply_and_close("421 4.7.0 closing"), "closing"},
                        Trick{"DroppedAtStarttls", Stage::starttls, drop(), "closed"},
                        Trick{"ResponseInjected", Stage::starttls,
                              reply("220 2.0.0 ready\r\n250-evil\r\n250 AUTH LOGIN"), "not allowed here"},
                        Trick{"FragmentInjected", Stage::starttls, Reaction{.say = "220 2.0.0 ready\r\n250-ev"},
                              "not allowed here"},
                        Trick{"InjectedBeforeTheHandshake", Stage::handshake, Reaction{.say = "250 evil\r\n"}, "451"},
                        Trick{"HandshakeDropped", Stage::handshake, drop(), "TLS"},
                        Trick{"HandshakeReset", Stage::handshake, reset(), "TLS"},
                        Trick{"HandshakeStalled", Stage::handshake, stall(), "timed out"})),
    [](const auto& test) {
        return std::get<1>(test.param).name +
               std::string(std::string(std::get<0>(test.param)) == "secure" ? "Secure" : "Encrypt");
    });

class TlsTruncation : public TlsToRelay {};

TEST_F(TlsTruncation, InTheMiddleOfAReplyIsALostConnection) {
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}));
    relay_.on(Stage::dot, Reaction{.say = "250 2.0", .then = Reaction::Then::close});
    start(secure());
    EXPECT_THAT(deliver().text, HasSubstr("delivery unknown"));
}

TEST_F(TlsTruncation, AfterAReplyThatWasWholeChangesNothing) {
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}));
    relay_.on(Stage::dot, reply_and_close("250 2.0.0 Ok"));
    start(secure());
    EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(deliver().code, 250);
}

TEST_F(TlsTruncation, InTheMiddleOfABodyIsDrainedToTheDot) {
    relay_.use_tls(ca_.issue({"IP:127.0.0.1"}));
    relay_.once(Stage::body, reset());
    start(secure());
    SmtpClient client(weir_->port("listen"));
    client.greet();
    Message message;
    for (int i = 0; i < 100'000; ++i) message.body += "a line of text that fills the buffers between us\r\n";
    EXPECT_THAT(client.deliver(message).decisive().summary(), StartsWith("451 4.4.2"));
    EXPECT_EQ(client.deliver({}).decisive().code, 250);
}

/// A relay that speaks before it has the final dot, as relay_in_body_test.cpp has it in clear text.
class TlsOutOfTurn : public TlsToRelay {
protected:
    void SetUp() override {
        relay_.use_tls(ca_.issue({"IP:127.0.0.1"}));
        start(secure());
        weir_->wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1);
    }
};

TEST_F(TlsOutOfTurn, AYesInARecordBehindTheGoAheadIsNoYes) {
    relay_.once(Stage::data, {.also = "250 2.0.0 queued\r\n"});
    EXPECT_THAT(deliver().summary(), StartsWith("451 4.4.2"));
    EXPECT_EQ(deliver().code, 250);
}

TEST_F(TlsOutOfTurn, ASecondAnswerToTheDotIsNotTheNextMessages) {
    relay_.once(Stage::dot, {.also = "550 5.7.1 not you\r\n"});
    EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(relay_.accepted().size(), 2U);
}

TEST_F(TlsOutOfTurn, ARefusalInMidBodyIsPassedOnWhole) {
    relay_.once(Stage::body, reply("552 5.3.4 too big"));
    SmtpClient client(weir_->port("listen"));
    client.greet();
    client.send("MAIL FROM:<a@customer.example>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
    for (const int code : {250, 250, 354}) client.expect(code);
    do {
        client.send(std::string(1000, 'x') + "\r\n");
        client.socket().wait_until_read();
    } while (weir_->metric("weir_relay_connections", {{"state", "busy"}}) > 0);
    client.send(".\r\n");
    EXPECT_EQ(client.read_reply().summary(), "552 5.3.4 too big");
}

}  // namespace
}  // namespace weir::test
