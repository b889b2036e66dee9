#include "network.hpp"

#include <algorithm>
#include <charconv>

namespace weir::config {
namespace {

constexpr std::string_view port_problem = "has no valid port; give a number from 1 to 65535";

/// "host:port" or "[host]:port" taken apart. `port` keeps its colon, so that none and an empty one differ.
struct HostPort {
    std::string_view host;
    std::string_view port;
    bool in_brackets = false;
    bool is_closed = true;  ///< no "[" without its "]", and only ":" follows that
};

HostPort split(std::string_view text) {
    if (!text.starts_with('[')) {
        const auto colon = std::min(text.rfind(':'), text.size());
        return {.host = text.substr(0, colon), .port = text.substr(colon)};
    }
    const auto end = text.find(']');
    if (end == std::string_view::npos) return {.host = text, .port = {}, .in_brackets = true, .is_closed = false};
    const auto port = text.substr(end + 1);
    return {.host = text.substr(1, end - 1),
            .port = port,
            .in_brackets = true,
            .is_closed = port.empty() || port.starts_with(':')};
}

std::optional<std::uint16_t> parse_digits(std::string_view text) {
    std::uint16_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return number;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    const auto port = parse_digits(text);
    return port && *port != 0 ? port : std::nullopt;
}

std::optional<std::uint16_t> parse_relay_port(std::string_view text) {
    if (text == "smtp") return std::uint16_t{25};
    if (text == "submission") return std::uint16_t{587};
    if (text == "submissions") return std::uint16_t{465};
    return parse_port(text);
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_ascii_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '_';
}

bool is_letter_or_digit(char c) {
    return static_cast<unsigned char>(c) >= 0x80 || is_ascii_letter_or_digit(c);
}

bool is_name(std::string_view text, bool (*belongs)(char)) {
    if (text.size() > 253) return false;
    for (;;) {
        const auto dot = text.find('.');
        const auto label = text.substr(0, dot);
        const bool is_label = !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
                              std::all_of(label.begin(), label.end(), belongs);
        if (!is_label) return false;
        // No top-level domain is a number: "192.0.2.256" is a slip.
        if (dot == std::string_view::npos) return !std::all_of(label.begin(), label.end(), is_digit);
        text.remove_prefix(dot + 1);
    }
}

}  // namespace

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

bool is_host_name(std::string_view text) {
    return is_name(text, is_ascii_letter_or_digit);
}

bool is_mail_domain(std::string_view text) {
    return is_name(text, is_letter_or_digit);
}

Parsed<Endpoint> parse_endpoint(std::string_view text) {
    const HostPort parts = split(text);
    constexpr std::string_view allowed = "write it as in 127.0.0.1:10025 or [::1]:10025";
    if (!parts.is_closed) return {{}, "has brackets that do not match; " + std::string(allowed)};
    const bool is_bare_v6 = !parts.in_brackets && core::parse_ip(text).has_value() && !parts.port.empty();
    if (is_bare_v6 || (!parts.in_brackets && parts.host.find(':') != std::string_view::npos)) {
        return {{}, "needs brackets around the IPv6 address; " + std::string(allowed)};
    }
    const auto address = core::parse_ip(parts.host);
    if (!address) {
        return {{}, "does not begin with an IP address, and names are not looked up here; " + std::string(allowed)};
    }
    if (parts.port.empty()) return {{}, "has no port; " + std::string(allowed)};
    const auto port = parse_port(parts.port.substr(1));
    if (!port) return {{}, std::string(port_problem)};
    return {{.address = *address, .port = *port}, ""};
}

Parsed<RelayAddress> parse_relay(std::string_view text) {
    const HostPort parts = split(text);
    constexpr std::string_view allowed = "write it as in [smtp.isp.example]:587 or isp.example";
    if (!parts.is_closed) return {{}, "has brackets that do not match; " + std::string(allowed)};
    if (!parts.in_brackets && parts.host.find(':') != std::string_view::npos) {
        return {{}, "needs brackets around the IPv6 address; write it as in [2001:db8::25]:587"};
    }
    const bool is_address = core::parse_ip(parts.host).has_value();
    if (!is_address && !is_host_name(parts.host)) {
        return {{}, "does not name a host; " + std::string(allowed)};
    }
    RelayAddress relay{
        .host = lower(parts.host), .lookup_mx = !parts.in_brackets && !is_address, .text = std::string(text)};
    if (!parts.port.empty()) {
        const auto port = parse_relay_port(parts.port.substr(1));
        if (!port) return {{}, std::string(port_problem) + ", smtp (25), submission (587) or submissions (465)"};
        relay.port = *port;
    }
    return {relay, ""};
}

Parsed<core::Cidr> parse_network(std::string_view text) {
    const auto cidr = core::parse_cidr(text);
    if (cidr) return {*cidr, ""};
    const auto slash = text.find('/');
    const auto address = core::parse_ip(text.substr(0, slash));
    if (!address || slash == std::string_view::npos) {
        return {{}, "is not a network; write it as in 192.0.2.0/24, 2001:db8::/32 or 192.0.2.1"};
    }
    if (cidr.error() == core::Errc::out_of_range) {
        return {{}, "has a prefix that is too long; it goes up to /32 for IPv4 and /128 for IPv6"};
    }
    const auto length = parse_digits(text.substr(slash + 1));
    if (!length) return {{}, "has no valid prefix; write it as in 192.0.2.0/24 or 2001:db8::/32"};
    return {{},
            "has bits set beyond its prefix; the network is " +
                core::format_ip(core::masked(*address, *length, *length)) + '/' + std::to_string(*length)};
}

}  // namespace weir::config
