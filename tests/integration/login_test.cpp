// Logging in to the relay: with what, when not at all, and that nobody else gets to see the password.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

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

constexpr auto password = "s3cret-and-long";

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"], tls: {{tls}}, auth: {{auth}}, connect_timeout: 1s, max_messages_per_connection: 1}
limits: []
admin: {listen: "{{admin}}"}
)";

class Login : public testing::Test {
protected:
    void SetUp() override {
        relay_.use_tls(ca_.issue({"IP:127.0.0.1"}));
        relay_.require_login("me", password);
        write_password(password);
    }

    void write_password(const std::string& text) const { std::ofstream(secret_) << text << '\n'; }

    [[nodiscard]] std::string by_file() const { return "{username: me, password_file: " + secret_.string() + "}"; }
    [[nodiscard]] std::string secure() const { return "{level: secure, ca_file: " + ca_.file().string() + "}"; }

    void start(const std::string& tls, const std::string& auth) {
        weir_ = std::make_unique<WeirProcess>(
            configuration, WeirProcess::Words{{"relay", relay_.address()}, {"tls", tls}, {"auth", auth}});
    }

    Heard deliver() {
        SmtpClient client(weir_->port("listen"));
        client.greet();
        return client.deliver({}).decisive();
    }

    /// A relay that could not be logged in to is left alone for a second: the real binary's clock is waited for.
    Heard deliver_until(int code) {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        Heard heard = deliver();
        while (heard.code != code && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            heard = deliver();
        }
        return heard;
    }

    void expect_that_nobody_saw_the_password() const {
        EXPECT_THAT(weir_->log(), Not(HasSubstr(password)));
        EXPECT_THAT(weir_->metrics(), Not(HasSubstr(password)));
        EXPECT_THAT(weir_->admin({.target = "/api/v1/status"}).body, Not(HasSubstr(password)));
    }

    TemporaryDirectory directory_;
    std::filesystem::path secret_ = directory_.path() / "password";
    TestCa ca_{directory_.path()};
    FakeUpstream relay_;
    std::unique_ptr<WeirProcess> weir_;
};

TEST_F(Login, HappensOnceAConnectionInsideTls) {
    start(secure(), by_file());
    EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(relay_.logins(), relay_.connections());
    EXPECT_THAT(relay_.clear_text(), Not(Contains(StartsWith("AUTH"))));
    expect_that_nobody_saw_the_password();
}

TEST_F(Login, IsNotOfferedToPostfix) {
    start(secure(), by_file());
    SmtpClient client(weir_->port("listen"));
    EXPECT_THAT(client.greet(), Not(Contains(StartsWith("AUTH"))));
    EXPECT_EQ(client.command("AUTH PLAIN AGEAYg==").code, 502);
}

TEST_F(Login, SpeaksLoginWhereTheOperatorWantsThat) {
    start(secure(), "{username: me, mechanisms: [LOGIN], password_file: " + secret_.string() + "}");
    EXPECT_EQ(deliver().code, 250);
    EXPECT_THAT(relay_.commands(), Contains("AUTH LOGIN"));
}

TEST_F(Login, TakesThePasswordFromTheEnvironment) {
    setenv("WEIR_TEST_PASSWORD", password, 1);
    start(secure(), "{username: me, password_env: WEIR_TEST_PASSWORD}");
    unsetenv("WEIR_TEST_PASSWORD");
    EXPECT_EQ(deliver().code, 250);
}

TEST_F(Login, ThatFailsKeepsTheMailAndSaysWhy) {
    write_password("wrong");
    start(secure(), by_file());
    const Heard heard = deliver();
    EXPECT_THAT(heard.summary(), StartsWith("451 4.7.8 weir: cannot log in to the relay"));
    EXPECT_THAT(heard.text, HasSubstr("535 5.7.8 Wrong name or password"));
    weir_->wait_for_log("Wrong name or password");
    EXPECT_GE(weir_->metric("weir_relay_replies_total", {{"class", "auth"}}), 1);
    EXPECT_THAT(relay_.commands(), Not(Contains(StartsWith("MAIL"))));
}

TEST_F(Login, FindsANewPasswordWithoutAReload) {
    write_password("wrong");
    start(secure(), by_file());
    EXPECT_EQ(deliver().code, 451);
    write_password(password);
    EXPECT_EQ(deliver_until(250).code, 250);
}

TEST_F(Login, WithoutAReadablePasswordKeepsTheMail) {
    std::filesystem::remove(secret_);
    start(secure(), by_file());
    EXPECT_THAT(deliver().summary(), AllOf(StartsWith("451 4.7.8"), HasSubstr("password: No such file")));
    write_password("");
    EXPECT_THAT(deliver().summary(), StartsWith("451 4.7.8"));
    write_password(password);
    EXPECT_EQ(deliver_until(250).code, 250);
}

TEST_F(Login, NeverSendsThePasswordInClearText) {
    FakeUpstream plain;
    plain.require_login("me", password);
    weir_ = std::make_unique<WeirProcess>(
        configuration, WeirProcess::Words{{"relay", plain.address()}, {"tls", "{level: may}"}, {"auth", by_file()}});
    EXPECT_THAT(deliver().summary(), AllOf(StartsWith("451 4.7.8"), HasSubstr("no password is sent without TLS")));
    EXPECT_THAT(plain.commands(), Not(Contains(StartsWith("AUTH"))));
}

TEST_F(Login, SendsItInClearTextWhereTheOperatorSaysSo) {
    FakeUpstream plain;
    plain.require_login("me", password);
    weir_ = std::make_unique<WeirProcess>(
        configuration,
        WeirProcess::Words{
            {"relay", plain.address()},
            {"tls", "{level: none}"},
            {"auth", "{username: me, allow_plaintext_auth: true, password_file: " + secret_.string() + "}"}});
    EXPECT_EQ(deliver().code, 250);
}

TEST_F(Login, WithNoMechanismInCommonKeepsTheMail) {
    start(secure(), "{username: me, mechanisms: [CRAM-MD5], password_file: " + secret_.string() + "}");
    EXPECT_THAT(deliver().summary(), AllOf(StartsWith("451 4.7.8"), HasSubstr("no way of logging in")));
}

TEST_F(Login, SendsATokenAndHearsWhyItIsRefused) {
    write_password("ya29.token");
    relay_.announce({"PIPELINING", "AUTH XOAUTH2"});
    relay_.on(Stage::auth, reply("235 2.7.0 Welcome"));
    relay_.add_rule([](const FakeUpstream::Step& step) -> std::optional<Reaction> {
        if (step.stage == Stage::mail) return reply("250 2.1.0 Ok");
        return std::nullopt;
    });
    start(secure(), "{username: me@isp.test, token_file: " + secret_.string() + "}");
    EXPECT_EQ(deliver().code, 250);
    // "user=me@isp.test^Aauth=Bearer ya29.token^A^A" in base64
    EXPECT_THAT(relay_.commands(), Contains("AUTH XOAUTH2 dXNlcj1tZUBpc3AudGVzdAFhdXRoPUJlYXJlciB5YTI5LnRva2VuAQE="));
}

struct Fault {
    const char* name;
    Reaction reaction;
    const char* says;
};

void PrintTo(const Fault& fault, std::ostream* out) {
    *out << fault.name;
}

class LoginFault : public Login, public testing::WithParamInterface<Fault> {};

TEST_P(LoginFault, KeepsTheMailAndRecovers) {
    relay_.on(Stage::auth, GetParam().reaction);
    start(secure(), by_file());
    const Heard heard = deliver();
    EXPECT_THAT(heard.summary(), AllOf(StartsWith("451 4."), HasSubstr(GetParam().says)));
    EXPECT_THAT(relay_.commands(), Not(Contains(StartsWith("MAIL"))));
    relay_.forget_rules();
    relay_.resume();
    EXPECT_EQ(deliver_until(250).code, 250);
    expect_that_nobody_saw_the_password();
}

INSTANTIATE_TEST_SUITE_P(Each, LoginFault,
                         testing::Values(Fault{"Dropped", drop(), "closed"}, Fault{"Reset", reset(), "reset"},
                                         Fault{"Stalled", stall(), "timed out"},
                                         Fault{"Said421", reply_and_close("421 4.7.0 too many logins"),
                                               "too many logins"},
                                         Fault{"Said454", reply("454 4.7.0 try later"), "try later"},
                                         Fault{"Said530", reply("530 5.7.0 TLS first"), "TLS first"},
                                         Fault{"Said250", reply("250 2.0.0 fine"), "fine"},
                                         Fault{"Garbage", reply("hello"), "not an SMTP reply"},
                                         Fault{"AsksForMoreThanThereIs", reply("334 "), "502"},
                                         Fault{"TooLong", reply("334 " + std::string(3000, 'A')), "too long"}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace weir::test
