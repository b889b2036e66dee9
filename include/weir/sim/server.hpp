#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>

#include "weir/core/time.hpp"
#include "weir/sim/settings.hpp"

namespace weir::sim {

/// The ISP's relay on the network: SMTP on one port, its own metrics and summary on another.
///
/// Sessions of the loop share one model, one record and one set of counters, which live as long as the last of them.
///
/// Owns:    the listening sockets; not the loop, and not the clock, which must outlive it.
/// Errors:  the constructor throws std::runtime_error when an address or the record cannot be opened.
/// Threads: one thread runs the loop; constructed and destroyed there, or while it does not run.
class Server {
public:
    Server(boost::asio::io_context& loop, const Settings& settings, const core::Clock& clock);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    [[nodiscard]] boost::asio::ip::tcp::endpoint smtp() const;
    [[nodiscard]] std::optional<boost::asio::ip::tcp::endpoint> admin() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::sim
