#include <algorithm>
#include <tuple>

#include "fields.hpp"
#include "network.hpp"
#include "sections.hpp"

namespace weir::config {
namespace {

using policy::KeyPart;
using policy::LimitSettings;
using policy::Match;

constexpr std::string_view limits_allowed =
    "give a list of limits, as in [{name: client, per: client, messages: 60/min}], or [] for none";
constexpr std::string_view per_allowed =
    "give one or a list of what to count by, as in client or [client, sender_domain]";
constexpr std::string_view match_allowed = "write it as in {client: [192.0.2.0/24]}";

constexpr std::size_t max_limits = 256;
constexpr std::size_t max_matches = 10'000;

/// The limit that upstream.contract becomes.
constexpr std::string_view contract_name = "contract";

constexpr std::array key_parts{
    Choice<KeyPart>{"client", KeyPart::client},
    Choice<KeyPart>{"login", KeyPart::login},
    Choice<KeyPart>{"sender_domain", KeyPart::sender_domain},
    Choice<KeyPart>{"sender", KeyPart::sender},
    Choice<KeyPart>{"recipient_domain", KeyPart::recipient_domain},
    Choice<KeyPart>{"relay", KeyPart::relay},
};

void read_limit_name(const Value& value, LimitSettings& limit) {
    auto name = read_name(value);
    if (name && *name == contract_name) {
        value.error("\"contract\" is the limit that upstream.contract makes; choose another name");
    } else if (name) {
        limit.name = *std::move(name);
    }
}

void read_per(const Value& value, LimitSettings& limit) {
    limit.per.clear();
    read_list(value, per_allowed, key_parts.size(), [&](const Value& item) {
        const auto part = read_choice(item, key_parts);
        if (!part) return;
        if (std::find(limit.per.begin(), limit.per.end(), *part) != limit.per.end()) {
            item.refuse("is listed twice; list each part once");
        } else {
            limit.per.push_back(*part);
        }
    });
}

void read_match_client(const Value& value, Match& match) {
    constexpr std::string_view allowed = "give networks, addresses or local, as in [192.0.2.0/24, local]";
    match.client.clear();
    match.local = false;
    read_list(value, allowed, max_matches, [&](const Value& item) {
        if (item.node().kind == Node::Kind::scalar && item.node().text == "local") {
            match.local = true;
        } else if (const auto network = read_parsed(item, parse_network, allowed)) {
            match.client.push_back(*network);
        }
    });
}

/// Neither blanks nor control characters, which would reach log lines through the limit's key.
bool is_one_word(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; });
}

void read_match_login(const Value& value, Match& match) {
    constexpr std::string_view allowed = "give SASL login names without blanks, as in [newsletter]";
    match.login.clear();
    read_list(value, allowed, max_matches, [&](const Value& item) {
        if (!item.expect(Node::Kind::scalar, allowed)) return;
        if (is_one_word(item.node().text)) {
            match.login.push_back(item.node().text);
        } else {
            item.refuse("is not a login; " + std::string(allowed));
        }
    });
}

bool is_sender(std::string_view text) {
    const auto at = text.rfind('@');
    return text == "<>" ||
           (at != std::string_view::npos && is_one_word(text.substr(0, at)) && is_mail_domain(text.substr(at + 1)));
}

void read_match_sender(const Value& value, Match& match) {
    constexpr std::string_view allowed = "give whole addresses, as in news@example.com, or \"<>\" for bounces";
    match.sender.clear();
    read_list(value, allowed, max_matches, [&](const Value& item) {
        if (!item.expect(Node::Kind::scalar, allowed)) return;
        if (is_sender(item.node().text)) {
            match.sender.push_back(item.node().text);
        } else {
            item.refuse("is not an address; " + std::string(allowed));
        }
    });
}

void read_match_domains(const Value& value, std::vector<std::string>& domains) {
    constexpr std::string_view allowed = "give domains, as in example.com, or .example.com for all below it";
    domains.clear();
    read_list(value, allowed, max_matches, [&](const Value& item) {
        if (!item.expect(Node::Kind::scalar, allowed)) return;
        std::string_view domain = item.node().text;
        if (domain.starts_with('.')) domain.remove_prefix(1);
        if (is_mail_domain(domain)) {
            domains.push_back(lower(item.node().text));
        } else {
            item.refuse("is not a domain; " + std::string(allowed));
        }
    });
}

void read_match_lane(const Value& value, Match& match) {
    match.lane.clear();
    read_list(value, "give the names of lanes, as in [priority]", max_matches, [&](const Value& item) {
        if (auto name = read_name(item)) match.lane.push_back(*std::move(name));
    });
}

constexpr std::array match_fields{
    Field<Match>{"client", read_match_client},
    Field<Match>{"login", read_match_login},
    Field<Match>{"sender", read_match_sender},
    Field<Match>{"sender_domain",
                 [](const Value& value, Match& match) { read_match_domains(value, match.sender_domain); }},
    Field<Match>{"recipient_domain",
                 [](const Value& value, Match& match) { read_match_domains(value, match.recipient_domain); }},
    Field<Match>{"lane", read_match_lane},
};

constexpr std::array limit_fields{
    Field<LimitSettings>{"name", read_limit_name},
    Field<LimitSettings>{"per", read_per},
    Field<LimitSettings>{"messages", [](const Value& value, LimitSettings& limit) { read(value, limit.messages); }},
    Field<LimitSettings>{"recipients", [](const Value& value, LimitSettings& limit) { read(value, limit.recipients); }},
    Field<LimitSettings>{
        "bytes", [](const Value& value, LimitSettings& limit) { read(value, limit.bytes, core::Counts::bytes); }},
    Field<LimitSettings>{"new_sender_domains",
                         [](const Value& value, LimitSettings& limit) { read(value, limit.new_sender_domains); }},
    Field<LimitSettings>{
        "match",
        [](const Value& value, LimitSettings& limit) { read_map(value, match_fields, match_allowed, limit.match); },
        [](const std::string& path, std::vector<Key>& keys) { list_keys(match_fields, path + '.', keys); }},
    Field<LimitSettings>{"mode", [](const Value& value, LimitSettings& limit) { read_mode(value, limit.mode); }},
};

void check_required(const Value& value) {
    if (!find(value, "name")) value.missing("name", "it appears in replies, logs and metrics, as in name: client");
    if (!find(value, "per")) value.missing("per", std::string(per_allowed));
    constexpr std::array quotas{"messages", "recipients", "bytes", "new_sender_domains"};
    if (std::none_of(quotas.begin(), quotas.end(), [&](const char* quota) { return find(value, quota).has_value(); })) {
        value.error("limits nothing; give at least one of messages, recipients, bytes, new_sender_domains");
    }
}

/// The order in which a table is written means nothing, so that two that differ in nothing else are equal.
void sort(Match& match) {
    std::sort(match.client.begin(), match.client.end(), [](const core::Cidr& a, const core::Cidr& b) {
        return std::tie(a.network, a.length) < std::tie(b.network, b.length);
    });
    for (auto* texts : {&match.login, &match.sender, &match.sender_domain, &match.recipient_domain, &match.lane}) {
        std::sort(texts->begin(), texts->end());
    }
}

void read_limit(const Value& value, std::vector<LimitSettings>& limits) {
    LimitSettings limit;
    if (!read_map(value, limit_fields, limits_allowed, limit)) return;
    check_required(value);
    sort(limit.match);
    const bool is_taken = std::any_of(limits.begin(), limits.end(), [&](const LimitSettings& other) {
        return !limit.name.empty() && other.name == limit.name && other.match == limit.match;
    });
    if (is_taken) {
        value.error("a limit named " + in_quotes(limit.name) +
                    " with the same match is already there; limits of one name differ in what they match");
    }
    limits.push_back(std::move(limit));
}

}  // namespace

void read_limits(const Value& value, Settings& settings) {
    settings.policy.limits.clear();
    if (!value.expect(Node::Kind::list, limits_allowed)) return;
    if (value.node().items.empty()) return;
    read_list(value, limits_allowed, max_limits, [&](const Value& item) { read_limit(item, settings.policy.limits); });
}

void list_limits(const std::string& path, std::vector<Key>& keys) {
    list_keys(limit_fields, path + "[].", keys);
}

}  // namespace weir::config
