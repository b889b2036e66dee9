// STARTTLS from a Postfix on another host, and what somebody in between may try.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/certificates.hpp"
#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr auto configuration = R"(
listen:
  - {address: "{{listen}}", tls: {cert_file: {{certificate}}, key_file: {{key}}}}
  - "{{plain}}"
upstream: {relays: ["{{relay}}"]}
limits: []
admin: {listen: "{{admin}}"}
)";

class TlsFromPostfix : public testing::Test {
protected:
    static void start_tls(SmtpClient& client) {
        EXPECT_THAT(client.greet(), Contains("STARTTLS"));
        client.send("STARTTLS\r\n");
        client.expect(220);
        ASSERT_TRUE(client.socket().start_tls());
    }

    static std::vector<std::string> hello_again(SmtpClient& client) {
        client.send("EHLO mail.customer.example\r\n");
        const std::string text = client.expect(250).text;
        return {text};
    }

    TemporaryDirectory directory_;
    TestCa ca_{directory_.path()};
    Identity identity_ = ca_.issue({"IP:127.0.0.1"});
    FakeUpstream relay_;
    WeirProcess weir_{configuration,
                      {{"relay", relay_.address()},
                       {"certificate", identity_.certificate.string()},
                       {"key", identity_.key.string()}}};
};

TEST_F(TlsFromPostfix, CarriesMail) {
    SmtpClient client(weir_.port("listen"));
    start_tls(client);
    EXPECT_THAT(hello_again(client).front(), AllOf(HasSubstr("XFORWARD"), Not(HasSubstr("STARTTLS"))));
    Message message;
    for (int i = 0; i < 50'000; ++i) message.body += "a line of some length, number " + std::to_string(i) + "\r\n";
    EXPECT_EQ(client.deliver(message).decisive().code, 250);
    EXPECT_EQ(client.deliver({}).decisive().code, 250);
    EXPECT_EQ(relay_.wait_for_accepted(2).front().body, message.body);
    client.quit();
}

TEST_F(TlsFromPostfix, IsOfferedOnlyWhereThereIsACertificate) {
    SmtpClient client(weir_.port("plain"));
    EXPECT_THAT(client.greet(), Not(Contains("STARTTLS")));
    EXPECT_EQ(client.command("STARTTLS").code, 502);
    EXPECT_EQ(client.deliver({}).decisive().code, 250);
}

TEST_F(TlsFromPostfix, IsNoDutyHere) {
    SmtpClient client(weir_.port("listen"));
    client.greet();
    EXPECT_EQ(client.deliver({}).decisive().code, 250);
}

TEST_F(TlsFromPostfix, BeginsOnlyOnce) {
    SmtpClient client(weir_.port("listen"));
    start_tls(client);
    hello_again(client);
    EXPECT_EQ(client.command("STARTTLS").code, 503);
}

TEST_F(TlsFromPostfix, ForgetsWhoWasNamedBefore) {
    SmtpClient client(weir_.port("listen"));
    client.greet();
    client.send("XFORWARD ADDR=203.0.113.66 IDENT=FORGED\r\nSTARTTLS\r\n");
    client.expect(250);
    client.expect(220);
    ASSERT_TRUE(client.socket().start_tls());
    hello_again(client);
    client.command("MAIL FROM:<a@b.example>");
    client.command("RCPT TO:<c@d.example>");
    client.command("RSET");
    client.quit();
    weir_.wait_for_log("aborted");
    EXPECT_THAT(weir_.log(), Not(HasSubstr("203.0.113.66")));
}

// CVE-2011-0411: what comes behind STARTTLS in the same segment must be obeyed neither before nor after the handshake.
TEST_F(TlsFromPostfix, CommandsInjectedBehindItAreNotObeyed) {
    for (const std::string injected :
         {"NOOP\r\n", "RSET\r\n", "EHLO evil.example\r\n", "MAIL FROM:<a@evil.example>\r\n", "X", "\r\n"}) {
        SmtpClient client(weir_.port("listen"));
        client.greet();
        client.send("STARTTLS\r\n" + injected);
        EXPECT_EQ(client.read_reply().code, 554) << injected;
        client.expect_close();
    }
    SmtpClient client(weir_.port("listen"));
    client.greet();
    client.send("STARTTLS\r\n" + std::string(65536, 'x'));
    EXPECT_THAT(client.read_reply().code, testing::AnyOf(554, 220));
    EXPECT_THAT(relay_.commands(), Not(Contains(HasSubstr("evil"))));
}

TEST_F(TlsFromPostfix, AHandshakeThatIsNoneEndsTheSessionOnly) {
    SmtpClient client(weir_.port("listen"));
    client.greet();
    client.send("STARTTLS\r\n");
    client.expect(220);
    client.send("this is not TLS at all\r\n");
    while (!client.socket().read_some().empty()) {  // an alert perhaps, and the end
    }
    weir_.wait_for_metric("weir_protocol_errors_total", {{"kind", "tls"}}, 1);
    SmtpClient other(weir_.port("listen"));
    start_tls(other);
}

TEST_F(TlsFromPostfix, ShowsANewCertificateAfterAReloadAndRefusesABadOne) {
    const Identity renewed = ca_.issue({"IP:127.0.0.1"});
    SmtpClient before(weir_.port("listen"));
    start_tls(before);
    std::filesystem::copy_file(renewed.certificate, identity_.certificate,
                               std::filesystem::copy_options::overwrite_existing);
    weir_.reload(configuration);  // the key does not fit it yet
    EXPECT_EQ(weir_.metric("weir_config_last_reload_successful"), 0);
    SmtpClient meanwhile(weir_.port("listen"));
    start_tls(meanwhile);
    std::filesystem::copy_file(renewed.key, identity_.key, std::filesystem::copy_options::overwrite_existing);
    weir_.reload(configuration);
    EXPECT_EQ(weir_.metric("weir_config_last_reload_successful"), 1);
    SmtpClient after(weir_.port("listen"));
    start_tls(after);
    EXPECT_NE(meanwhile.socket().peer_certificate(), "");
    EXPECT_EQ(meanwhile.socket().peer_certificate(), before.socket().peer_certificate());
    EXPECT_NE(after.socket().peer_certificate(), before.socket().peer_certificate());
    hello_again(before);
    EXPECT_EQ(before.deliver({}).decisive().code, 250) << "a session from before the reload goes on";
}

}  // namespace
}  // namespace weir::test
