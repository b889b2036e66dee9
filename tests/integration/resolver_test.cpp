// Relays that have names: their addresses, their MX records, and what happens when the DNS does not help.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <thread>

#include "support/dns_server.hpp"
#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using testing::StartsWith;
using Type = DnsServer::Type;

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"], resolver: ["{{names}}"], connect_timeout: {{timeout}}, max_messages_per_connection: 1}
limits: []
admin: {listen: "{{admin}}"}
)";

class Names : public testing::Test {
protected:
    /// Weir, with a relay at this name and port.
    void start(const std::string& relay, std::uint16_t port, const std::string& timeout = "5s") {
        weir_.emplace(configuration, WeirProcess::Words{{"relay", relay + ':' + std::to_string(port)},
                                                        {"names", names_.address()},
                                                        {"timeout", timeout}});
        client_.emplace(weir_->port("listen"));
        client_->greet();
    }

    Heard deliver() { return client_->deliver({}).decisive(); }

    /// Until the connection that learnt what the relay offers is there: what follows is not about starting.
    void wait_until_learnt() { weir_->wait_for_metric("weir_relay_connections", {{"state", "idle"}}, 1); }

    std::chrono::steady_clock::duration time(const std::function<void()>& what) {
        const auto before = std::chrono::steady_clock::now();
        what();
        return std::chrono::steady_clock::now() - before;
    }

    DnsServer names_;
    std::optional<WeirProcess> weir_;
    std::optional<SmtpClient> client_;
};

TEST_F(Names, AreLookedUpOnceForManyConnections) {
    FakeUpstream relay;
    names_.address("relay.test", "127.0.0.1");
    start("[relay.test]", relay.port());
    for (int i = 0; i < 20; ++i) EXPECT_EQ(deliver().code, 250);
    EXPECT_GE(relay.connections(), 20U);
    EXPECT_EQ(names_.queries("relay.test", Type::a), 1U);
    EXPECT_EQ(names_.queries("relay.test", Type::aaaa), 1U);
    EXPECT_EQ(names_.queries("relay.test", Type::mx), 0U) << "brackets mean: no MX";
}

// The first of two name servers is not there ("port unreachable"): the next one is asked, for hosts and for MX.
TEST_F(Names, AreAskedOfTheNextServerWhenTheFirstIsNotThere) {
    FakeUpstream relay("127.0.0.2");
    names_.mail_host("isp.test", 10, "relay.test");
    names_.address("relay.test", "127.0.0.2");
    const ReservedPort nobody;
    for (const char* name : {"isp.test", "[relay.test]"}) {
        const WeirProcess weir(R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"], resolver: ["{{nobody}}", "{{names}}"], connect_timeout: 5s}
limits: []
)",
                               {{"relay", name + (':' + std::to_string(relay.port()))},
                                {"nobody", "127.0.0.1:" + std::to_string(nobody.number())},
                                {"names", names_.address()}});
        SmtpClient client(weir.port("listen"));
        client.greet();
        EXPECT_EQ(client.deliver({}).decisive().code, 250) << name;
    }
}

TEST_F(Names, OfTheHostsFileNeedNoNameServer) {
    FakeUpstream relay;
    names_.be_silent(true);
    start("[localhost]", relay.port());
    EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(names_.queries("localhost", Type::a), 0U);
}

TEST_F(Names, AreNeededForNoLiteralAddress) {
    FakeUpstream relay("127.0.0.2");
    names_.be_silent(true);
    start("127.0.0.2", relay.port());
    EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(names_.queries("127.0.0.2", Type::mx), 0U);
}

TEST_F(Names, WithoutBracketsLeadToTheMxOfTheLowestPreference) {
    FakeUpstream best("127.0.0.2");
    FakeUpstream other("127.0.0.3", best.port());
    names_.mail_host("isp.test", 20, "other.isp.test");
    names_.mail_host("isp.test", 10, "best.isp.test");
    names_.address("best.isp.test", "127.0.0.2");
    names_.address("other.isp.test", "127.0.0.3");
    start("isp.test", best.port());
    for (int i = 0; i < 3; ++i) EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(best.accepted().size(), 3U);
    EXPECT_EQ(other.connections(), 0U);
    EXPECT_EQ(names_.queries("isp.test", Type::mx), 1U);
    EXPECT_EQ(names_.queries("isp.test", Type::a), 0U);
}

TEST_F(Names, LeadToTheNextMxWhenOneIsDownOrRefuses) {
    FakeUpstream best("127.0.0.2");
    FakeUpstream other("127.0.0.3", best.port());
    names_.mail_host("isp.test", 10, "best.isp.test");
    names_.mail_host("isp.test", 20, "other.isp.test");
    names_.address("best.isp.test", "127.0.0.2");
    names_.address("other.isp.test", "127.0.0.3");
    start("isp.test", best.port());
    wait_until_learnt();
    best.stop_listening();
    best.close_all();
    EXPECT_EQ(deliver().code, 250);
    best.on(Stage::greeting, reply_and_close("421 4.3.2 maintenance"));
    best.listen_again();
    EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(other.accepted().size(), 2U);
    best.forget_rules();
    EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(best.accepted().size(), 1U);
}

TEST_F(Names, LeadPastAnMxThatDoesNotExist) {
    FakeUpstream other("127.0.0.3");
    names_.mail_host("isp.test", 10, "gone.isp.test");
    names_.mail_host("isp.test", 20, "other.isp.test");
    names_.address("other.isp.test", "127.0.0.3");
    start("isp.test", other.port());
    EXPECT_EQ(deliver().code, 250);
}

TEST_F(Names, WithoutMxAreTheirOwnHost) {
    FakeUpstream relay("127.0.0.2");
    names_.address("isp.test", "127.0.0.2");
    start("isp.test", relay.port());
    EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(names_.queries("isp.test", Type::mx), 1U);
}

TEST_F(Names, WithANullMxCannotBeReached) {
    FakeUpstream relay("127.0.0.2");
    names_.mail_host("isp.test", 0, "");
    names_.address("isp.test", "127.0.0.2");
    start("isp.test", relay.port());
    EXPECT_THAT(deliver().summary(), testing::HasSubstr("null MX"));
    EXPECT_EQ(deliver().code, 451);
    EXPECT_EQ(relay.connections(), 0U);
}

TEST_F(Names, ThatDoNotExistMakeMailWait) {
    start("[nowhere.test]", 25);
    const Heard heard = deliver();
    EXPECT_THAT(heard.summary(), StartsWith("451 4.4.1 weir: relay unreachable"));
    EXPECT_THAT(heard.summary(), testing::HasSubstr("no such host name"));
    EXPECT_EQ(deliver().code, 451) << "on the same session";
}

TEST_F(Names, ThatNobodyAnswersForMakeMailWaitNoLongerThanTheConnectTimeout) {
    names_.be_silent(true);
    start("[relay.test]", 25, "1s");
    Heard heard;
    const auto took = time([&] { heard = deliver(); });
    EXPECT_THAT(heard.summary(), StartsWith("451 4.4.1 weir: relay unreachable"));
    EXPECT_LT(took, 4s);
    EXPECT_EQ(deliver().code, 451) << "on the same session";
    client_->quit();
}

TEST_F(Names, WorkAgainWhenTheNameServerDoes) {
    FakeUpstream relay;
    names_.fail(true);
    names_.address("relay.test", "127.0.0.1");
    start("[relay.test]", relay.port(), "1s");
    EXPECT_EQ(deliver().code, 451);
    names_.fail(false);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    int code = 451;
    while (code == 451 && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(100ms);  // "there is none" is believed for five seconds
        code = deliver().code;
    }
    EXPECT_EQ(code, 250);
}

TEST_F(Names, AreAskedForAgainAfterTheirTtlAndKeptWhenNobodyAnswersThen) {
    FakeUpstream old_relay("127.0.0.2");
    FakeUpstream new_relay("127.0.0.3", old_relay.port());
    names_.address("relay.test", "127.0.0.2", /*ttl=*/0);
    start("[relay.test]", old_relay.port());
    EXPECT_EQ(deliver().code, 250);
    names_.forget("relay.test");
    names_.address("relay.test", "127.0.0.3", /*ttl=*/0);
    // A TTL of 0 counts as five seconds, and the clock of the real binary is being waited for.
    const auto deliver_until = [&](const std::function<bool()>& done) {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (!done()) {
            ASSERT_EQ(deliver().code, 250);
            ASSERT_LT(std::chrono::steady_clock::now(), deadline);
            std::this_thread::sleep_for(50ms);
        }
    };
    deliver_until([&] { return !new_relay.accepted().empty(); });
    EXPECT_EQ(names_.queries("relay.test", Type::a), 2U);
    names_.be_silent(true);
    deliver_until([&] { return names_.queries("relay.test", Type::a) >= 3; });
    EXPECT_EQ(deliver().code, 250) << "the stale answer serves";
}

TEST_F(Names, NeedTheAnswerForOneFamilyOnly) {
    FakeUpstream relay;
    names_.address("relay.test", "127.0.0.1");
    names_.be_silent_about(Type::aaaa);
    start("[relay.test]", relay.port());
    const auto took = time([&] { EXPECT_EQ(deliver().code, 250); });
    EXPECT_LT(took, 2s) << "the first try for the other family alone takes as long";
}

TEST_F(Names, OfAReloadedResolverAreAskedForAgain) {
    FakeUpstream old_relay("127.0.0.2");
    FakeUpstream new_relay("127.0.0.3", old_relay.port());
    DnsServer others;
    names_.address("relay.test", "127.0.0.2");
    others.address("relay.test", "127.0.0.3");
    start("[relay.test]", old_relay.port());
    wait_until_learnt();
    EXPECT_EQ(deliver().code, 250);
    weir_->reload(R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"], resolver: [)" +
                  others.address() + R"(], max_messages_per_connection: 1}
limits: []
admin: {listen: "{{admin}}"}
)");
    EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(old_relay.accepted().size(), 1U);
    EXPECT_EQ(new_relay.accepted().size(), 1U);
}

TEST_F(Names, DoNotHoldUpTheEnd) {
    names_.be_silent(true);
    start("[relay.test]", 25, "5m");
    names_.wait_for_queries("relay.test", Type::a, 1);
    client_->quit();
    const auto took = time([&] {
        weir_->signal(SIGTERM);
        EXPECT_EQ(weir_->wait_exit(), 0);
    });
    EXPECT_LT(took, 10s);
}

class Race : public Names {};

TEST_F(Race, BeginsWithIPv6) {
    FakeUpstream v4("127.0.0.1");  // first: on this address most of the ports are taken
    FakeUpstream v6("::1", v4.port());
    names_.address("relay.test", "127.0.0.1");
    names_.address("relay.test", "::1");
    start("[relay.test]", v6.port());
    EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(v6.accepted().size(), 1U);
    EXPECT_EQ(v4.connections(), 0U);
}

TEST_F(Race, GoesToTheOtherFamilyAtOnceWhenOneRefuses) {
    FakeUpstream v4("127.0.0.1");
    const ReservedPort refusing("::1", v4.port());
    names_.address("relay.test", "127.0.0.1");
    names_.address("relay.test", "::1");
    start("[relay.test]", v4.port());
    EXPECT_EQ(deliver().code, 250);
}

TEST_F(Race, LosesAQuarterOfASecondToAnAddressThatSwallowsPackets) {
    FakeUpstream v4("127.0.0.1");
    const BlackHole v6("::1", v4.port());
    names_.address("relay.test", "127.0.0.1");
    names_.address("relay.test", "::1");
    start("[relay.test]", v4.port(), "20s");
    wait_until_learnt();
    EXPECT_EQ(deliver().code, 250) << "on the connection that is there already";
    const auto took = time([&] { EXPECT_EQ(deliver().code, 250); });
    EXPECT_GE(took, 240ms);
    EXPECT_LT(took, 5s);
    RecordProperty("milliseconds", static_cast<int>(took / 1ms));
}

TEST_F(Race, NeverBringsInAnMxOfAnotherPreference) {
    FakeUpstream other("127.0.0.3");
    const BlackHole best("127.0.0.2", other.port());
    names_.mail_host("isp.test", 10, "best.isp.test");
    names_.mail_host("isp.test", 20, "other.isp.test");
    names_.address("best.isp.test", "127.0.0.2");
    names_.address("other.isp.test", "127.0.0.3");
    start("isp.test", other.port(), "1s");
    wait_until_learnt();
    EXPECT_EQ(deliver().code, 250);
    const auto took = time([&] { EXPECT_EQ(deliver().code, 250); });
    EXPECT_GE(took, 1s) << "the best host had its whole time";
    EXPECT_LT(took, 5s);
}

TEST_F(Race, ContinuesAfterAnAddressThatRefusesInItsGreeting) {
    FakeUpstream sick("127.0.0.2");
    FakeUpstream well("127.0.0.3", sick.port());
    sick.on(Stage::greeting, reply_and_close("554 5.3.2 out of order"));
    names_.address("relay.test", "127.0.0.2");
    names_.address("relay.test", "127.0.0.3");
    start("[relay.test]", sick.port());
    for (int i = 0; i < 3; ++i) EXPECT_EQ(deliver().code, 250);
    EXPECT_EQ(well.accepted().size(), 3U);
}

}  // namespace
}  // namespace weir::test
