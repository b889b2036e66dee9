#include "weir/core/ip.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace weir::core {
namespace {

constexpr unsigned v4_offset = 96;  // bits before the IPv4 part of a mapped address
constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

IpAddress keep_bits(IpAddress address, unsigned length) {
    for (unsigned i = 0; i < address.bytes.size(); ++i) {
        const unsigned bits = std::clamp(length, i * 8, i * 8 + 8) - i * 8;
        address.bytes[i] = static_cast<std::uint8_t>(address.bytes[i] & (0xff00U >> bits));
    }
    return address;
}

}  // namespace

bool IpAddress::is_v4() const {
    return std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes.begin());
}

Result<IpAddress> parse_ip(std::string_view text) {
    const std::string terminated(text);
    if (terminated.size() != std::char_traits<char>::length(terminated.c_str())) return Errc::bad_syntax;
    IpAddress address;
    if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
    std::copy(mapped_prefix.begin(), mapped_prefix.end(), address.bytes.begin());
    if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data() + mapped_prefix.size()) == 1) return address;
    return Errc::bad_syntax;
}

std::string format_ip(const IpAddress& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.is_v4()) {
        inet_ntop(AF_INET, address.bytes.data() + mapped_prefix.size(), text.data(), text.size());
    } else {
        inet_ntop(AF_INET6, address.bytes.data(), text.data(), text.size());
    }
    return text.data();
}

IpAddress masked(const IpAddress& address, unsigned v4_length, unsigned v6_length) {
    return keep_bits(address, address.is_v4() ? v4_offset + v4_length : v6_length);
}

bool Cidr::contains(const IpAddress& address) const {
    return keep_bits(address, length) == network;
}

std::string format_socket_address(const SocketAddress& address) {
    const std::string host = format_ip(address.address);
    return (address.address.is_v4() ? host : '[' + host + ']') + ':' + std::to_string(address.port);
}

Result<Cidr> parse_cidr(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = parse_ip(text.substr(0, slash));
    if (!address) return address.error();
    const bool is_v4 = address->is_v4() && text.substr(0, slash).find(':') == std::string_view::npos;
    const unsigned width = is_v4 ? 32 : 128;
    unsigned length = width;
    if (slash != std::string_view::npos) {
        const auto digits = text.substr(slash + 1);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
        if (error == std::errc::invalid_argument || end != digits.data() + digits.size()) return Errc::bad_syntax;
        if (error != std::errc{} || length > width) return Errc::out_of_range;
    }
    const Cidr cidr{.network = *address, .length = is_v4 ? v4_offset + length : length};
    if (keep_bits(cidr.network, cidr.length) != cidr.network) return Errc::bad_syntax;
    return cidr;
}

std::string format_cidr(const Cidr& cidr) {
    std::string text = format_ip(cidr.network);
    if (cidr.length == 128) return text;
    const bool is_v4 = cidr.network.is_v4() && cidr.length >= v4_offset;
    return text + '/' + std::to_string(is_v4 ? cidr.length - v4_offset : cidr.length);
}

}  // namespace weir::core
