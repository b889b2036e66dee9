#include "weir/net/endpoint.hpp"

namespace weir::net {

namespace ip = boost::asio::ip;

core::IpAddress to_core(const ip::address& address) {
    const ip::address_v6 v6 = address.is_v6() ? address.to_v6() : ip::make_address_v6(ip::v4_mapped, address.to_v4());
    return core::IpAddress{.bytes = v6.to_bytes()};
}

ip::tcp::endpoint to_asio(const core::IpAddress& address, std::uint16_t port) {
    const ip::address_v6 v6(address.bytes);
    if (v6.is_v4_mapped()) return {ip::make_address_v4(ip::v4_mapped, v6), port};
    return {v6, port};
}

}  // namespace weir::net
