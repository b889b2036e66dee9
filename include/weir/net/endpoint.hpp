#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>

#include "weir/core/ip.hpp"

namespace weir::net {

/// Between Weir's own address type (no Asio) and Asio's.
[[nodiscard]] core::IpAddress to_core(const boost::asio::ip::address& address);
[[nodiscard]] boost::asio::ip::tcp::endpoint to_asio(const core::IpAddress& address, std::uint16_t port);

}  // namespace weir::net
