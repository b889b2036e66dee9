#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "weir/config/settings.hpp"
#include "weir/smtp/sasl.hpp"

namespace weir::config {
namespace {

using namespace std::chrono_literals;
using policy::KeyPart;
using policy::Mode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const std::string upstream = "upstream: {relays: \"[smtp.isp.example]:587\"}\n";

Settings load(const std::string& text) {
    return load_text(text, "weir.yaml");
}

Settings load_relays(const std::string& relays) {
    return load("upstream:\n  relays: " + relays + "\n");
}

Endpoint endpoint(std::string_view address, std::uint16_t port) {
    return {.address = core::parse_ip(address).value(), .port = port};
}

core::Cidr cidr(std::string_view text) {
    return core::parse_cidr(text).value();
}

core::Quota quota(std::string_view text) {
    return core::parse_quota(text).value();
}

policy::LimitSettings only_limit(const std::string& fields) {
    const Settings settings = load(upstream + "limits:\n  - {name: a, per: client, messages: 1/s, " + fields + "}\n");
    return settings.policy.limits.at(0);
}

TEST(Load, NeedsNothingButARelay) {
    const Settings settings = load(upstream);
    EXPECT_THAT(settings.listen, ElementsAre(ListenSettings{endpoint("127.0.0.1", 10025), "default"}));
    EXPECT_THAT(settings.trusted_clients, ElementsAre(cidr("127.0.0.0/8"), cidr("::1")));
    EXPECT_EQ(settings.workers, 1U);
    EXPECT_THAT(settings.upstream.relays,
                ElementsAre(RelayAddress{"smtp.isp.example", 587, false, "[smtp.isp.example]:587"}));
    EXPECT_EQ(settings.policy.mode, Mode::enforce);
    EXPECT_EQ(settings.policy.limits, policy::default_limits());
    EXPECT_FALSE(settings.admin);
    EXPECT_EQ(settings.log, LogSettings{});
    EXPECT_THAT(settings.warnings, IsEmpty());

    UpstreamSettings untouched;
    untouched.relays = settings.upstream.relays;
    EXPECT_EQ(settings.upstream, untouched);
}

TEST(Load, ReadsEveryKeyOfADaemon) {
    const Settings settings = load(R"(
listen:
  - 192.0.2.1:25
  - {address: "[2001:db8::1]:10026", lane: priority}
trusted_clients: [192.0.2.0/24, 2001:db8::/32]
mode: observe
workers: 4
client_prefix: {ipv4: 24, ipv6: 56}
max_keys: 5000
admin: {listen: "127.0.0.1:9525"}
log: {level: warning, format: json}
upstream:
  relays: isp.example
  max_connections: 3
  max_messages_per_connection: 20
  ehlo_name: mail.example.org
  connect_timeout: 5s
  wait_for_connection: 0
  idle_timeout: 1m30s
  resolver: [192.0.2.53:53, "[2001:db8::53]:5353"]
limits: []
)");
    EXPECT_THAT(settings.listen, ElementsAre(ListenSettings{endpoint("192.0.2.1", 25), "default"},
                                             ListenSettings{endpoint("2001:db8::1", 10026), "priority"}));
    EXPECT_THAT(settings.trusted_clients, ElementsAre(cidr("192.0.2.0/24"), cidr("2001:db8::/32")));
    EXPECT_EQ(settings.policy.mode, Mode::observe);
    EXPECT_EQ(settings.workers, 4U);
    EXPECT_EQ(settings.policy.ipv4_prefix, 24U);
    EXPECT_EQ(settings.policy.ipv6_prefix, 56U);
    EXPECT_EQ(settings.policy.max_keys, 5000U);
    EXPECT_EQ(settings.admin, endpoint("127.0.0.1", 9525));
    EXPECT_EQ(settings.log.level, LogSettings::Level::warning);
    EXPECT_EQ(settings.log.format, LogSettings::Format::json);
    EXPECT_EQ(settings.upstream.max_connections, 3U);
    EXPECT_EQ(settings.upstream.max_messages_per_connection, 20U);
    EXPECT_EQ(settings.upstream.ehlo_name, "mail.example.org");
    EXPECT_EQ(settings.upstream.connect_timeout, 5s);
    EXPECT_EQ(settings.upstream.wait_for_connection, 0s);
    EXPECT_EQ(settings.upstream.idle_timeout, 90s);
    EXPECT_THAT(settings.upstream.resolver, ElementsAre(endpoint("192.0.2.53", 53), endpoint("2001:db8::53", 5353)));
    EXPECT_THAT(settings.policy.limits, IsEmpty());
}

TEST(Load, TakesOneValueWhereAListIsDue) {
    const Settings settings = load(upstream + "listen: 127.0.0.1:25\ntrusted_clients: 192.0.2.7\n");
    EXPECT_THAT(settings.listen, SizeIs(1));
    EXPECT_THAT(settings.trusted_clients, ElementsAre(cidr("192.0.2.7")));
    EXPECT_EQ(load(upstream + "listen: {address: 127.0.0.1:25, lane: x}\n").listen.at(0).lane, "x");
}

TEST(Load, TakesRelaysInPostfixsSyntax) {
    struct Case {
        const char* text;
        RelayAddress expected;
    };
    const Case cases[] = {
        {"[smtp.isp.example]:587", {"smtp.isp.example", 587, false, ""}},
        {"[smtp.isp.example]:submission", {"smtp.isp.example", 587, false, ""}},
        {"[smtp.isp.example]", {"smtp.isp.example", 25, false, ""}},
        {"isp.example:2525", {"isp.example", 2525, true, ""}},
        {"isp.example:smtp", {"isp.example", 25, true, ""}},
        {"ISP.example", {"isp.example", 25, true, ""}},
        {"localhost", {"localhost", 25, true, ""}},
        {"my_relay-1", {"my_relay-1", 25, true, ""}},
        {"192.0.2.25:26", {"192.0.2.25", 26, false, ""}},
        {"[192.0.2.25]", {"192.0.2.25", 25, false, ""}},
        {"[2001:db8::25]:587", {"2001:db8::25", 587, false, ""}},
    };
    for (const Case& c : cases) {
        RelayAddress expected = c.expected;
        expected.text = c.text;
        EXPECT_THAT(load_relays('"' + std::string(c.text) + '"').upstream.relays, ElementsAre(expected)) << c.text;
    }
}

TEST(Load, KeepsRelaysInTheOrderOfPreference) {
    const Settings settings = load_relays("[b.example, \"[a.example]:587\", \"[a.example]:25\"]");
    ASSERT_THAT(settings.upstream.relays, SizeIs(3));
    EXPECT_EQ(settings.upstream.relays[0].host, "b.example");
    EXPECT_EQ(settings.upstream.relays[1].port, 587);
    EXPECT_EQ(settings.upstream.relays[2].port, 25);
}

TEST(Load, ReadsEveryKeyOfALimit) {
    const Settings settings = load(upstream + R"(
limits:
  - name: newsletter
    per: [client, sender_domain]
    messages: 60/min burst 30
    recipients: 600/h, burst 200
    bytes: 10M/h burst 50M
    new_sender_domains: 6/h burst 8
    mode: observe
    match:
      client: [192.0.2.0/24, local, "2001:db8::1"]
      login: news
      sender: ["<>", News@example.com]
      sender_domain: [Example.COM, .example.net]
      recipient_domain: [isp.example]
      lane: default
)");
    ASSERT_THAT(settings.policy.limits, SizeIs(1));
    const policy::LimitSettings& limit = settings.policy.limits[0];
    EXPECT_EQ(limit.name, "newsletter");
    EXPECT_THAT(limit.per, ElementsAre(KeyPart::client, KeyPart::sender_domain));
    EXPECT_EQ(limit.messages, quota("60/min burst 30"));
    EXPECT_EQ(limit.recipients, quota("600/h burst 200"));
    EXPECT_EQ(limit.bytes, core::parse_quota("10M/h burst 50M", core::Counts::bytes).value());
    EXPECT_EQ(limit.new_sender_domains, quota("6/h burst 8"));
    EXPECT_EQ(limit.mode, Mode::observe);
    EXPECT_THAT(limit.match.client, testing::UnorderedElementsAre(cidr("192.0.2.0/24"), cidr("2001:db8::1")));
    EXPECT_TRUE(limit.match.local);
    EXPECT_THAT(limit.match.login, ElementsAre("news"));
    EXPECT_THAT(limit.match.sender, ElementsAre("<>", "News@example.com"));
    EXPECT_THAT(limit.match.sender_domain, ElementsAre(".example.net", "example.com"));
    EXPECT_THAT(limit.match.recipient_domain, ElementsAre("isp.example"));
    EXPECT_THAT(limit.match.lane, ElementsAre("default"));
}

TEST(Load, KnowsEveryPartOfAKey) {
    const Settings settings = load(upstream + R"(
limits:
  - {name: a, messages: 1/s, per: [client, login, sender_domain, sender, recipient_domain, relay]}
)");
    EXPECT_THAT(settings.policy.limits.at(0).per,
                ElementsAre(KeyPart::client, KeyPart::login, KeyPart::sender_domain, KeyPart::sender,
                            KeyPart::recipient_domain, KeyPart::relay));
}

TEST(Load, TakesOneTextForAWholeMatchTable) {
    EXPECT_THAT(only_limit("match: {sender: \"<>\"}").match.sender, ElementsAre("<>"));
    EXPECT_TRUE(only_limit("match: {client: local}").match.local);
    EXPECT_THAT(only_limit("match: {sender_domain: m\u00fcller.example}").match.sender_domain,
                ElementsAre("m\u00fcller.example"));
    EXPECT_EQ(only_limit("match: {}").match, policy::Match{});
}

TEST(Load, LimitsOfOneNameMayDifferInWhatTheyMatch) {
    const Settings settings = load(upstream + R"(
limits:
  - {name: client, per: client, messages: 1/s}
  - {name: client, per: client, messages: 9/s, match: {client: 192.0.2.0/24}}
)");
    EXPECT_THAT(settings.policy.limits, SizeIs(2));
}

TEST(Load, MakesTheContractTheFirstLimit) {
    const Settings settings = load(R"(
upstream:
  relays: isp.example
  contract: {messages: 14/s, recipients: 50000/day, recipients_per_message: 50}
limits:
  - {name: client, per: client, messages: 1/s}
)");
    EXPECT_EQ(settings.upstream.contract.messages, quota("14/s"));
    EXPECT_EQ(settings.upstream.contract.recipients, quota("50000/day"));
    EXPECT_EQ(settings.upstream.contract.recipients_per_message, 50U);
    ASSERT_THAT(settings.policy.limits, SizeIs(2));
    const policy::LimitSettings& contract = settings.policy.limits[0];
    EXPECT_EQ(contract.name, "contract");
    EXPECT_THAT(contract.per, ElementsAre(KeyPart::relay));
    EXPECT_EQ(contract.messages, quota("14/s"));
    EXPECT_EQ(contract.recipients, quota("50000/day"));
    EXPECT_EQ(contract.mode, Mode::enforce);
    EXPECT_EQ(contract.match, policy::Match{});
}

TEST(Load, AContractAlsoStandsBeforeTheBuiltInLimitsAndAloneWithoutAny) {
    const std::string contract = "upstream: {relays: isp.example, contract: {messages: 14/s}}\n";
    EXPECT_THAT(load(contract).policy.limits, SizeIs(policy::default_limits().size() + 1));
    EXPECT_THAT(load(contract + "limits: []\n").policy.limits, SizeIs(1));
}

TEST(Load, AContractWithoutARateMakesNoLimit) {
    const Settings settings =
        load("upstream: {relays: isp.example, contract: {recipients_per_message: 50}}\nlimits: []\n");
    EXPECT_THAT(settings.policy.limits, IsEmpty());
    EXPECT_EQ(settings.upstream.contract.recipients_per_message, 50U);
}

TEST(Load, AliasesAndMergeKeysStandForWhatTheyName) {
    const Settings settings = load(upstream + R"(
trusted_clients: &office [192.0.2.0/24]
limits:
  - &client
    name: client
    per: client
    messages: 60/min
    match: {client: *office}
  - {<<: *client, name: other, messages: 5/min}
  - {<<: [{mode: observe, per: login}, *client], name: third}
)");
    ASSERT_THAT(settings.policy.limits, SizeIs(3));
    EXPECT_THAT(settings.policy.limits[0].match.client, ElementsAre(cidr("192.0.2.0/24")));
    EXPECT_EQ(settings.policy.limits[1].match, settings.policy.limits[0].match);
    EXPECT_EQ(settings.policy.limits[1].name, "other");
    EXPECT_EQ(settings.policy.limits[1].messages, quota("5/min"));
    EXPECT_EQ(settings.policy.limits[2].mode, Mode::observe);
    EXPECT_THAT(settings.policy.limits[2].per, ElementsAre(KeyPart::login));
    EXPECT_EQ(settings.policy.limits[2].messages, quota("60/min"));
}

TEST(Load, ReadsJson) {
    const Settings settings = load(
        "{\n\t\"upstream\": {\"relays\": [\"[smtp.isp.example]:587\"]},\n\t\"workers\": 2,\n\t\"limits\": []\n}\n");
    EXPECT_EQ(settings.workers, 2U);
    EXPECT_THAT(settings.policy.limits, IsEmpty());
}

TEST(Load, DoesNotMindByteOrderMarksLineEndsOrDocumentMarkers) {
    const Settings expected = load(upstream);
    EXPECT_EQ(load("\xef\xbb\xbf" + upstream), expected);
    EXPECT_EQ(load("---\n" + upstream + "...\n"), expected);
    EXPECT_EQ(load("# for isp\xc3\xa4\r\nupstream:\r\n  relays: '[smtp.isp.example]:587'\r\n"), expected);
    EXPECT_EQ(load("upstream: {relays: \"[smtp.isp.example]:587\"}"), expected);
}

TEST(Load, WarnsAboutKeysThatNothingActsOnYet) {
    const Settings settings = load(upstream +
                                   "lanes: {priority: {weight: 3}}\n"
                                   "feedback: {window: 5m, min_replies: 10, slow_at: 10%, hold_at: 40%, hold: 1m..1h}\n"
                                   "quarantine: {after: 15m}\n"
                                   "policy_service: {listen: 127.0.0.1:10027}\n"
                                   "state: {file: /var/lib/weir/weir.db}\n"
                                   "alerts: [{webhook: \"http://a.example\"}]\n"
                                   "admin: {token_file: /etc/weir/admin-token}\n");
    EXPECT_THAT(settings.warnings, ElementsAre("weir.yaml:2:8: lanes: has no effect in this version",
                                               "weir.yaml:3:20: feedback.window: has no effect in this version",
                                               "weir.yaml:3:37: feedback.min_replies: has no effect in this version",
                                               "weir.yaml:3:50: feedback.slow_at: has no effect in this version",
                                               "weir.yaml:3:64: feedback.hold_at: has no effect in this version",
                                               "weir.yaml:3:75: feedback.hold: has no effect in this version",
                                               "weir.yaml:4:13: quarantine: has no effect in this version",
                                               "weir.yaml:5:17: policy_service: has no effect in this version",
                                               "weir.yaml:6:8: state: has no effect in this version",
                                               "weir.yaml:7:9: alerts: has no effect in this version",
                                               "weir.yaml:8:21: admin.token_file: has no effect in this version"));
}

TEST(Load, ReadsTheOperatorsReplyPatternsInTheirOrder) {
    const Settings settings = load(upstream +
                                   "feedback:\n"
                                   "  classify:\n"
                                   "    - {pattern: '(?i)too many', class: rate}\n"
                                   "    - {pattern: \"^554 .*listed\", class: reputation, scope: account}\n");
    ASSERT_THAT(settings.classify, SizeIs(2));
    EXPECT_EQ(settings.classify[0],
              (policy::ClassifyRule{.pattern = "(?i)too many", .reply_class = policy::ReplyClass::rate}));
    EXPECT_EQ(settings.classify[1], (policy::ClassifyRule{.pattern = "^554 .*listed",
                                                          .reply_class = policy::ReplyClass::reputation,
                                                          .scope = policy::Scope::account}));
    EXPECT_THAT(settings.warnings, IsEmpty());
    EXPECT_THAT(load(upstream + "feedback: {classify: {pattern: a, class: ok}}\n").classify, SizeIs(1));
    EXPECT_THAT(load(upstream + "feedback: {classify: []}\n").classify, IsEmpty());
    EXPECT_THAT(load(upstream + "feedback: {}\n").classify, IsEmpty());
}

TEST(Load, TlsIsUsedWhereTheRelayOffersIt) {
    EXPECT_EQ(load(upstream).upstream.tls, proxy::TlsSettings());
    EXPECT_EQ(load(upstream).upstream.tls.level, proxy::TlsSettings::Level::may);
    EXPECT_EQ(load("upstream: {relays: isp.example, tls: {level: none}}\n").upstream.tls.level,
              proxy::TlsSettings::Level::none);
}

TEST(Load, ReadsHowTheRelayIsTrusted) {
    const proxy::TlsSettings tls =
        load(
            "upstream: {relays: isp.example, tls: {level: secure, wrapper: true, ca_file: ca.pem, server_name: "
            "MX.isp.example, cert_file: c.pem, key_file: k.pem}}\n")
            .upstream.tls;
    EXPECT_EQ(tls, (proxy::TlsSettings{.level = proxy::TlsSettings::Level::secure,
                                       .wrapper = true,
                                       .ca_file = "ca.pem",
                                       .server_name = "mx.isp.example",
                                       .certificate_file = "c.pem",
                                       .key_file = "k.pem"}));
}

TEST(Load, APasswordAsksForASecureConnection) {
    const std::string auth = "upstream: {relays: isp.example, auth: {username: me, password_file: p}";
    EXPECT_EQ(load(auth + "}\n").upstream.tls.level, proxy::TlsSettings::Level::secure);
    EXPECT_EQ(load(auth + ", tls: {level: encrypt}}\n").upstream.tls.level, proxy::TlsSettings::Level::encrypt);
}

TEST(Load, TlsFromTheFirstByteIsNeverOptional) {
    EXPECT_EQ(load("upstream: {relays: isp.example, tls: {wrapper: true}}\n").upstream.tls.level,
              proxy::TlsSettings::Level::encrypt);
}

TEST(Load, KnowsTheMechanismsThatSaslKnows) {
    std::vector<std::string> all = smtp::default_mechanisms();
    all.emplace_back("XOAUTH2");
    for (const std::string& mechanism : all) {
        EXPECT_TRUE(smtp::is_known_mechanism(mechanism));
        const std::string auth = "upstream: {relays: isp.example, auth: {username: me, password_env: P, mechanisms: ";
        EXPECT_THAT(load(auth + mechanism + "}}\n").upstream.auth->mechanisms, ElementsAre(mechanism));
    }
}

TEST(Load, ReadsWhatAListenerAnswersStarttlsWith) {
    const auto listen = load(upstream + "listen: [{address: \"127.0.0.1:25\", tls: {cert_file: c.pem}}]\n").listen;
    ASSERT_THAT(listen, SizeIs(1));
    EXPECT_EQ(listen[0].tls, (ListenTls{.certificate_file = "c.pem", .key_file = ""}));
}

TEST(Load, WarnsAboutAnAdminAddressThatOthersReach) {
    EXPECT_THAT(load(upstream + "admin: {listen: \"0.0.0.0:9525\"}\n").warnings,
                ElementsAre(testing::StartsWith("weir.yaml:2:17: admin.listen: whoever reaches this address")));
    EXPECT_THAT(load(upstream + "admin: {listen: \"[::]:9525\"}\n").warnings, SizeIs(1));
    EXPECT_THAT(load(upstream + "admin: {listen: \"[::1]:9525\"}\n").warnings, IsEmpty());
    EXPECT_THAT(load(upstream + "admin: {listen: \"127.8.8.8:9525\"}\n").warnings, IsEmpty());
}

TEST(Load, WarnsAboutALimitForALaneThatNoListenerHas) {
    const std::string limit = "limits:\n  - {name: a, per: client, messages: 1/s, match: {lane: [default, fast]}}\n";
    EXPECT_THAT(load(upstream + limit).warnings,
                ElementsAre("weir.yaml:3:57: limits[0].match.lane: no listener has the lane \"fast\""));
    EXPECT_THAT(load(upstream + limit + "listen: [127.0.0.1:1, {address: 127.0.0.1:2, lane: fast}]\n").warnings,
                IsEmpty());
}

TEST(LoadFile, ReadsWhatLoadTextReads) {
    const auto file = std::filesystem::path(testing::TempDir()) / "weir-load.yaml";
    std::ofstream(file) << upstream;
    EXPECT_EQ(load_file(file), load(upstream));
    std::filesystem::remove(file);
}

}  // namespace
}  // namespace weir::config
