#include <algorithm>

#include "fields.hpp"
#include "network.hpp"
#include "sections.hpp"

namespace weir::config {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_listeners = 64;
constexpr std::size_t max_networks = 10'000;
constexpr std::string_view listen_allowed = "give one or a list of addresses, as in 127.0.0.1:10025";
constexpr std::string_view trusted_allowed = "give one or a list of networks, as in 192.0.2.0/24";

void read_address(const Value& value, ListenSettings& listener) {
    if (const auto endpoint = read_parsed(value, parse_endpoint, listen_allowed)) listener.endpoint = *endpoint;
}

constexpr std::array listen_fields{
    Field<ListenSettings>{"address", read_address},
    Field<ListenSettings>{"lane",
                          [](const Value& value, ListenSettings& listener) {
                              if (auto name = read_name(value)) listener.lane = *std::move(name);
                          }},
    Field<ListenSettings>{"tls",
                          [](const Value& value, ListenSettings& listener) { read_listen_tls(value, listener.tls); },
                          list_listen_tls},
};

void read_listener(const Value& value, Settings& settings) {
    ListenSettings listener;
    if (value.node().kind != Node::Kind::map) {
        read_address(value, listener);
    } else if (read_map(value, listen_fields, listen_allowed, listener) && !find(value, "address")) {
        value.missing("address", "write it as in {address: \"127.0.0.1:10026\", lane: priority}");
    }
    if (listener.endpoint.port == 0) return;  // complained about already
    const bool is_taken = std::any_of(settings.listen.begin(), settings.listen.end(),
                                      [&](const ListenSettings& other) { return other.endpoint == listener.endpoint; });
    if (is_taken) {
        value.error("this address is listed twice; a listener needs an address or port of its own");
    } else {
        settings.listen.push_back(std::move(listener));
    }
}

constexpr std::array session_fields{
    Field<SessionSettings>{"max",
                           [](const Value& value, SessionSettings& s) {
                               read(value, {1, 1'000'000}, s.max);
                           }},
    Field<SessionSettings>{"command_timeout",
                           [](const Value& value, SessionSettings& s) {
                               read(value, {100ms, 1h}, s.command_timeout);
                           }},
    Field<SessionSettings>{"body_timeout",
                           [](const Value& value, SessionSettings& s) {
                               read(value, {100ms, 1h}, s.body_timeout);
                           }},
    Field<SessionSettings>{"min_body_rate",
                           [](const Value& value, SessionSettings& s) {
                               read(value, {0, 1'000'000}, s.min_body_rate);
                           }},
    Field<SessionSettings>{"timeout_when_full",
                           [](const Value& value, SessionSettings& s) {
                               read(value, {100ms, 1h}, s.timeout_when_full);
                           }},
};

/// Whether all of IPv4 or all of IPv6 is in it. IPv4 is also a part of IPv6, at ::ffff:0:0/96.
bool is_everybody(const core::Cidr& network) {
    const core::Cidr all_v4 = core::parse_cidr("0.0.0.0/0").value();
    return network.length <= all_v4.length && (network.length == 0 || network.contains(all_v4.network));
}

}  // namespace

void read_listen(const Value& value, Settings& settings) {
    settings.listen.clear();
    read_list(value, listen_allowed, max_listeners, [&](const Value& item) { read_listener(item, settings); });
}

void list_listen(const std::string& path, std::vector<Key>& keys) {
    list_keys(listen_fields, path + "[].", keys);
}

void read_sessions(const Value& value, Settings& settings) {
    read_map(value, session_fields, "write it as in {max: 1000, command_timeout: 5m}", settings.sessions);
}

void list_sessions(const std::string& path, std::vector<Key>& keys) {
    list_keys(session_fields, path + '.', keys);
}

void read_trusted_clients(const Value& value, Settings& settings) {
    settings.trusted_clients.clear();
    read_list(value, trusted_allowed, max_networks, [&](const Value& item) {
        const auto network = read_parsed(item, parse_network, trusted_allowed);
        if (!network) return;
        if (is_everybody(*network)) {
            item.refuse("would make this an open relay for the whole Internet; list the hosts that Postfix runs on");
        } else {
            settings.trusted_clients.push_back(*network);
        }
    });
}

}  // namespace weir::config
