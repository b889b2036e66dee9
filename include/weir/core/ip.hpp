#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "weir/core/result.hpp"

namespace weir::core {

/// An IPv4 or IPv6 address as a value, without sockets.
///
/// IPv4 is kept as the IPv4-mapped IPv6 address (RFC 4291 2.5.5.2), so 192.0.2.1 and ::ffff:192.0.2.1 are one.
struct IpAddress {
    std::array<std::uint8_t, 16> bytes{};

    [[nodiscard]] bool is_v4() const;
    auto operator<=>(const IpAddress&) const = default;
};

/// Text as inet_pton takes it; a zone ("%eth0") is refused. Errors: Errc::bad_syntax.
[[nodiscard]] Result<IpAddress> parse_ip(std::string_view text);

/// RFC 5952 text; IPv4-mapped addresses as plain IPv4.
[[nodiscard]] std::string format_ip(const IpAddress& address);

/// The address with all bits after the prefix cleared. `v4_length` counts from 0 to 32, `v6_length` from 0 to 128.
[[nodiscard]] IpAddress masked(const IpAddress& address, unsigned v4_length, unsigned v6_length);

/// An address and a port.
struct SocketAddress {
    IpAddress address;
    std::uint16_t port = 0;

    bool operator==(const SocketAddress&) const = default;
};

/// "192.0.2.1:53", "[2001:db8::1]:53".
[[nodiscard]] std::string format_socket_address(const SocketAddress& address);

/// A network: 192.0.2.0/24, 2001:db8::/32, or a single address.
struct Cidr {
    IpAddress network;
    unsigned length = 128;  ///< in bits of the IPv6 form: an IPv4 /24 is 120

    [[nodiscard]] bool contains(const IpAddress& address) const;
    bool operator==(const Cidr&) const = default;
};

/// Errors: Errc::bad_syntax, Errc::out_of_range for a length beyond the family's. Host bits must be zero
/// (192.0.2.1/24 is refused: whoever writes it meant something else).
[[nodiscard]] Result<Cidr> parse_cidr(std::string_view text);

/// "192.0.2.0/24"; a single address without "/32" or "/128".
[[nodiscard]] std::string format_cidr(const Cidr& cidr);

}  // namespace weir::core
