#pragma once

#include <string>
#include <string_view>

#include "value.hpp"
#include "weir/config/settings.hpp"

namespace weir::config {

/// What stands in the text, or `problem`: what is wrong with it and what is allowed.
template <class T>
struct Parsed {
    T value;
    std::string problem;
};

/// "127.0.0.1:10025" or "[::1]:10025".
[[nodiscard]] Parsed<Endpoint> parse_endpoint(std::string_view text);

/// Postfix's relayhost syntax: "[host]:port", "[host]", "host:port", "host"; the port may be `smtp`, `submission`
/// or `submissions`.
[[nodiscard]] Parsed<RelayAddress> parse_relay(std::string_view text);

/// "192.0.2.0/24", "2001:db8::/32" or a single address.
[[nodiscard]] Parsed<core::Cidr> parse_network(std::string_view text);

/// A host or domain name in ASCII (RFC 1123 2.1; an underscore is let pass). Names that look like a mistyped IPv4
/// address are none.
[[nodiscard]] bool is_host_name(std::string_view text);

/// The same with letters beyond ASCII (RFC 5890 U-labels), as mail domains may be written.
[[nodiscard]] bool is_mail_domain(std::string_view text);

/// ASCII letters in lower case.
[[nodiscard]] std::string lower(std::string_view text);

/// Reads text through one of the parsers above, or complains.
template <class T>
std::optional<T> read_parsed(const Value& value, Parsed<T> (*parse)(std::string_view), std::string_view allowed) {
    if (!value.expect(Node::Kind::scalar, allowed)) return std::nullopt;
    Parsed<T> parsed = parse(value.node().text);
    if (parsed.problem.empty()) return std::move(parsed.value);
    value.refuse(parsed.problem);
    return std::nullopt;
}

}  // namespace weir::config
