#include <algorithm>

#include "fields.hpp"
#include "network.hpp"
#include "sections.hpp"

namespace weir::config {
namespace {

using Level = LogSettings::Level;
using Format = LogSettings::Format;

constexpr std::size_t longest_name = 64;

constexpr std::array modes{
    Choice<policy::Mode>{"enforce", policy::Mode::enforce},
    Choice<policy::Mode>{"observe", policy::Mode::observe},
};

constexpr std::array levels{
    Choice<Level>{"debug", Level::debug},
    Choice<Level>{"info", Level::info},
    Choice<Level>{"warning", Level::warning},
    Choice<Level>{"error", Level::error},
};

constexpr std::array formats{
    Choice<Format>{"text", Format::text},
    Choice<Format>{"json", Format::json},
};

bool is_loopback(const core::IpAddress& address) {
    static const core::Cidr v4 = core::parse_cidr("127.0.0.0/8").value();
    static const core::Cidr v6 = core::parse_cidr("::1").value();
    return v4.contains(address) || v6.contains(address);
}

void read_admin_listen(const Value& value, Settings& settings) {
    const auto endpoint = read_parsed(value, parse_endpoint, "give an address, as in 127.0.0.1:9525");
    if (!endpoint) return;
    if (!is_loopback(endpoint->address)) {
        value.warning(
            "whoever reaches this address can read metrics and status, for there is no token in this version; "
            "keep it inside the network that scrapes it");
    }
    settings.admin = *endpoint;
}

constexpr std::array client_prefix_fields{
    Field<policy::Settings>{"ipv4",
                            [](const Value& value, policy::Settings& p) {
                                read(value, {1, 32}, p.ipv4_prefix);
                            }},
    Field<policy::Settings>{"ipv6",
                            [](const Value& value, policy::Settings& p) {
                                read(value, {1, 128}, p.ipv6_prefix);
                            }},
};

constexpr std::array admin_fields{
    Field<Settings>{"listen", read_admin_listen},
};

constexpr std::array log_fields{
    Field<LogSettings>{"level", [](const Value& value,
                                   LogSettings& log) { log.level = read_choice(value, levels).value_or(log.level); }},
    Field<LogSettings>{
        "format",
        [](const Value& value, LogSettings& log) { log.format = read_choice(value, formats).value_or(log.format); }},
};

}  // namespace

void read_client_prefix(const Value& value, Settings& settings) {
    read_map(value, client_prefix_fields, "write it as in {ipv4: 32, ipv6: 64}", settings.policy);
}

void list_client_prefix(const std::string& path, std::vector<Key>& keys) {
    list_keys(client_prefix_fields, path + '.', keys);
}

void read_admin(const Value& value, Settings& settings) {
    read_map(value, admin_fields, "write it as in {listen: \"127.0.0.1:9525\"}", settings);
}

void list_admin(const std::string& path, std::vector<Key>& keys) {
    list_keys(admin_fields, path + '.', keys);
}

void read_log(const Value& value, Settings& settings) {
    read_map(value, log_fields, "write it as in {level: info, format: text}", settings.log);
}

void list_log(const std::string& path, std::vector<Key>& keys) {
    list_keys(log_fields, path + '.', keys);
}

void read_mode(const Value& value, policy::Mode& mode) {
    mode = read_choice(value, modes).value_or(mode);
}

std::optional<std::string> read_name(const Value& value) {
    constexpr std::string_view allowed = "give a name of up to 64 letters, digits, \".\", \"_\" and \"-\"";
    if (!value.expect(Node::Kind::scalar, allowed)) return std::nullopt;
    const std::string& name = value.node().text;
    const bool is_valid =
        !name.empty() && name.size() <= longest_name && std::all_of(name.begin(), name.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                   c == '-';
        });
    if (is_valid) return name;
    value.refuse("is not a name; " + std::string(allowed));
    return std::nullopt;
}

}  // namespace weir::config
