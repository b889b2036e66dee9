#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "weir/core/result.hpp"
#include "weir/core/time.hpp"
#include "weir/net/connection.hpp"
#include "weir/net/connector.hpp"
#include "weir/net/resolver.hpp"
#include "weir/net/task.hpp"

namespace weir::net {

/// The way to one relay: its hosts, best first, and their addresses, one after the other.
///
/// Addresses of one host race; hosts of different preference never do. Whoever finds that a connection is of no use
/// (the greeting was a refusal) asks for the next one.
///
/// Owns:    what is left to try. The resolver and the connector outlive it.
/// Errors:  of Resolver or Connector, the last one; Errc::relay_unreachable when there was nothing left to try.
/// Threads: one thread, that of the resolver and the connector.
class Route {
public:
    struct Target {
        std::string host;
        std::uint16_t port = 0;
        bool lookup_mx = false;
    };

    Route(Resolver& resolver, Connector& connector, Target target)
        : resolver_(resolver), connector_(connector), target_(std::move(target)) {}

    /// A connection to the next address that accepts one. Each host may take `timeout`, to be looked up and to accept;
    /// at `deadline` all is over.
    Task<core::Result<Connection>> next(core::Duration timeout, core::TimePoint deadline);

private:
    Task<core::Error> find_hosts(core::TimePoint until);
    Task<core::Result<Connection>> try_host(core::TimePoint until);
    Task<core::Error> find_addresses(core::TimePoint until);

    Resolver& resolver_;
    Connector& connector_;
    Target target_;
    std::optional<std::deque<std::string>> hosts_;           ///< still to come; none: not looked up yet
    std::vector<boost::asio::ip::tcp::endpoint> addresses_;  ///< of the present host, still to be tried
};

}  // namespace weir::net
