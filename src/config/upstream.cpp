#include <algorithm>

#include "fields.hpp"
#include "network.hpp"
#include "sections.hpp"

namespace weir::config {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view upstream_allowed = "write it as in {relays: [\"[smtp.isp.example]:587\"]}";
constexpr std::string_view relays_allowed = "give one or a list of relays, as in \"[smtp.isp.example]:587\"";
constexpr std::string_view contract_allowed = "write it as in {messages: 50000/day, recipients_per_message: 50}";
constexpr std::string_view resolver_allowed = "give one or a list of name servers, as in 192.0.2.53:53";
constexpr std::string_view timeouts_allowed = "write it as in {envelope: 2m, data: 1m}";
constexpr std::size_t max_relays = 64;
constexpr std::size_t max_name_servers = 8;

void read_relay(const Value& value, UpstreamSettings& upstream) {
    auto relay = read_parsed(value, parse_relay, relays_allowed);
    if (!relay) return;
    const bool is_known = std::any_of(upstream.relays.begin(), upstream.relays.end(), [&](const RelayAddress& other) {
        return other.host == relay->host && other.port == relay->port;
    });
    if (is_known) {
        value.refuse("is listed twice; list each relay once, the preferred one first");
        return;
    }
    upstream.relays.push_back(*std::move(relay));
}

void read_relays(const Value& value, UpstreamSettings& upstream) {
    upstream.relays.clear();
    read_list(value, relays_allowed, max_relays, [&](const Value& item) { read_relay(item, upstream); });
}

void read_ehlo_name(const Value& value, UpstreamSettings& upstream) {
    constexpr std::string_view allowed = "give this host's name as the relay knows it, as in mail.example.org";
    if (!value.expect(Node::Kind::scalar, allowed)) return;
    if (is_host_name(value.node().text)) {
        upstream.ehlo_name = value.node().text;
    } else {
        value.refuse("is not a host name; " + std::string(allowed));
    }
}

void read_name_server(const Value& value, UpstreamSettings& upstream) {
    const auto server = read_parsed(value, parse_endpoint, resolver_allowed);
    if (!server) return;
    const bool is_known =
        std::find(upstream.resolver.begin(), upstream.resolver.end(), *server) != upstream.resolver.end();
    if (is_known) {
        value.refuse("is listed twice");
    } else {
        upstream.resolver.push_back(*server);
    }
}

void read_resolver(const Value& value, UpstreamSettings& upstream) {
    upstream.resolver.clear();
    read_list(value, resolver_allowed, max_name_servers, [&](const Value& item) { read_name_server(item, upstream); });
}

constexpr std::array contract_fields{
    Field<ContractSettings>{"messages", [](const Value& value, ContractSettings& c) { read(value, c.messages); }},
    Field<ContractSettings>{"recipients", [](const Value& value, ContractSettings& c) { read(value, c.recipients); }},
    Field<ContractSettings>{"recipients_per_message",
                            [](const Value& value, ContractSettings& c) {
                                if (const auto most = read_number(value, {1, 100'000})) {
                                    c.recipients_per_message = static_cast<std::uint32_t>(*most);
                                }
                            }},
};

void read_end_of_body(const Value& value, RelayTimeouts& timeouts) {
    read(value, {100ms, 1h}, timeouts.end_of_body);
    if (timeouts.end_of_body < 10min) {
        value.warning(
            "a relay that takes longer than this to accept a message delivers it twice; "
            "Postfix waits 600s (smtp_data_done_timeout)");
    }
}

constexpr std::array timeout_fields{
    Field<RelayTimeouts>{"envelope",
                         [](const Value& value, RelayTimeouts& t) {
                             read(value, {100ms, 270s}, t.envelope);
                         }},
    Field<RelayTimeouts>{"data",
                         [](const Value& value, RelayTimeouts& t) {
                             read(value, {100ms, 110s}, t.data);
                         }},
    Field<RelayTimeouts>{"body",
                         [](const Value& value, RelayTimeouts& t) {
                             read(value, {100ms, 170s}, t.body);
                         }},
    Field<RelayTimeouts>{"end_of_body", read_end_of_body},
};

constexpr std::array upstream_fields{
    Field<UpstreamSettings>{"relays", read_relays},
    Field<UpstreamSettings>{"max_connections",
                            [](const Value& value, UpstreamSettings& u) {
                                read(value, {1, 1'000}, u.max_connections);
                            }},
    Field<UpstreamSettings>{"max_messages_per_connection",
                            [](const Value& value, UpstreamSettings& u) {
                                read(value, {1, 1'000'000}, u.max_messages_per_connection);
                            }},
    Field<UpstreamSettings>{"ehlo_name", read_ehlo_name},
    Field<UpstreamSettings>{"tls", [](const Value& value, UpstreamSettings& u) { read_tls(value, u.tls); }, list_tls},
    Field<UpstreamSettings>{"auth", [](const Value& value, UpstreamSettings& u) { read_auth(value, u.auth); },
                            list_auth},
    Field<UpstreamSettings>{"connect_timeout",
                            [](const Value& value, UpstreamSettings& u) {
                                read(value, {100ms, 5min}, u.connect_timeout);
                            }},
    Field<UpstreamSettings>{"wait_for_connection",
                            [](const Value& value, UpstreamSettings& u) {
                                read(value, {0s, 5min}, u.wait_for_connection);
                            }},
    Field<UpstreamSettings>{"idle_timeout",
                            [](const Value& value, UpstreamSettings& u) {
                                read(value, {100ms, 1h}, u.idle_timeout);
                            }},
    Field<UpstreamSettings>{"resolver", read_resolver},
    Field<UpstreamSettings>{
        "timeouts",
        [](const Value& value, UpstreamSettings& u) { read_map(value, timeout_fields, timeouts_allowed, u.timeouts); },
        [](const std::string& path, std::vector<Key>& keys) { list_keys(timeout_fields, path + '.', keys); }},
    Field<UpstreamSettings>{
        "contract",
        [](const Value& value, UpstreamSettings& u) { read_map(value, contract_fields, contract_allowed, u.contract); },
        [](const std::string& path, std::vector<Key>& keys) { list_keys(contract_fields, path + '.', keys); }},
};

/// What the sections have to say to each other: a password is not for whoever answers, and port 465 has no clear text.
void check_protection(const Value& value, UpstreamSettings& upstream) {
    using Level = proxy::TlsSettings::Level;
    const auto tls = find(value, "tls");
    if (upstream.auth && (!tls || !find(*tls, "level"))) upstream.tls.level = Level::secure;
    if (upstream.auth && upstream.tls.level == Level::none && !upstream.auth->allow_plaintext_auth) {
        tls->error(
            "has a level of none, so that the password would go in clear text; write level: secure, or, inside a "
            "network that you trust, auth: {allow_plaintext_auth: true}");
    }
    const bool is_wrapped = upstream.tls.wrapper.value_or(false);
    if (is_wrapped && upstream.tls.level == Level::may) upstream.tls.level = Level::encrypt;
}

}  // namespace

void read_upstream(const Value& value, Settings& settings) {
    if (!read_map(value, upstream_fields, upstream_allowed, settings.upstream)) return;
    if (!find(value, "relays")) value.missing("relays", std::string(relays_allowed));
    check_protection(value, settings.upstream);
}

void list_upstream(const std::string& path, std::vector<Key>& keys) {
    list_keys(upstream_fields, path + '.', keys);
}

}  // namespace weir::config
