#include "weir/smtp/xforward.hpp"

#include <algorithm>

#include "weir/smtp/command.hpp"

namespace weir::smtp {
namespace {

using std::string_view;

// What is longer is cut off, not refused: a stranger's HELO must not cost us the queue ID beside it.
constexpr std::size_t max_value = 1024;

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

/// Decodes one character at `text[i]` and moves `i` on; -1 when it is malformed or a control character.
int next_xtext(string_view text, std::size_t& i) {
    const char c = text[i++];
    if (c != '+') return is_control(c) ? -1 : static_cast<unsigned char>(c);
    if (i + 2 > text.size()) return -1;
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return -1;
    i += 2;
    const int byte = high * 16 + low;
    return is_control(static_cast<char>(byte)) ? -1 : byte;
}

std::string decode_leniently(string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size() && out.size() < max_value;) {
        const int byte = next_xtext(text, i);
        out += byte < 0 ? '?' : static_cast<char>(byte);
    }
    return out;
}

/// "203.0.113.9" or "IPv6:2001:db8::25", in any case.
std::optional<core::IpAddress> parse_address(string_view text) {
    constexpr string_view ipv6 = "IPv6:";
    if (equals_ignoring_case(text.substr(0, ipv6.size()), ipv6)) text.remove_prefix(ipv6.size());
    const auto address = core::parse_ip(text);
    return address ? std::optional(*address) : std::nullopt;
}

bool set_attribute(string_view name, const std::string& value, bool available, Forwarded& out) {
    if (equals_ignoring_case(name, "NAME")) {
        out.name = value;
    } else if (equals_ignoring_case(name, "ADDR")) {
        out.address = available ? parse_address(value) : std::nullopt;
        return !available || out.address.has_value();
    } else if (equals_ignoring_case(name, "PORT")) {
        out.port = value;
    } else if (equals_ignoring_case(name, "PROTO")) {
        out.protocol = value;
    } else if (equals_ignoring_case(name, "HELO")) {
        out.helo = value;
    } else if (equals_ignoring_case(name, "IDENT")) {
        out.ident = value;
    } else if (equals_ignoring_case(name, "SOURCE")) {
        out.source = equals_ignoring_case(value, "LOCAL")    ? Forwarded::Source::local
                     : equals_ignoring_case(value, "REMOTE") ? Forwarded::Source::remote
                                                             : Forwarded::Source::unknown;
    }
    return true;
}

}  // namespace

std::optional<std::string> decode_xtext(string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const int byte = next_xtext(text, i);
        if (byte < 0) return std::nullopt;
        out += static_cast<char>(byte);
    }
    return out;
}

bool parse_xforward(string_view argument, Forwarded& out) {
    Forwarded result = out;
    result.seen = true;
    while (!argument.empty()) {
        const string_view word = argument.substr(0, std::min(argument.find(' '), argument.size()));
        argument.remove_prefix(std::min(word.size() + 1, argument.size()));
        if (word.empty()) continue;
        // The value may hold '=' of its own: Postfix does not encode it.
        const auto equals = word.find('=');
        if (equals == string_view::npos || equals == 0) return false;
        const string_view raw = word.substr(equals + 1);
        const bool available =
            !equals_ignoring_case(raw, "[UNAVAILABLE]") && !equals_ignoring_case(raw, "[TEMPUNAVAIL]");
        const std::string value = available ? decode_leniently(raw) : std::string();
        if (!set_attribute(word.substr(0, equals), value, available, result)) return false;
    }
    out = std::move(result);
    return true;
}

}  // namespace weir::smtp
