#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "weir/core/result.hpp"
#include "weir/core/time.hpp"
#include "weir/net/task.hpp"

namespace weir::net {

/// The addresses of a host, in the order of the system's resolver (RFC 6724). A literal address asks nobody.
///
/// Errors: the resolver's, or core::Errc::timed_out; never an empty list.
Task<core::Result<std::vector<boost::asio::ip::tcp::endpoint>>> resolve(std::string host, std::uint16_t port,
                                                                        core::Duration timeout);

}  // namespace weir::net
