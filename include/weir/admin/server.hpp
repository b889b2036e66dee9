#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "weir/admin/status.hpp"
#include "weir/telemetry/log.hpp"

namespace weir::admin {

/// Where the answers come from. All must be set; they are called on the server's thread, one at a time.
/// One that throws costs its request a 500 and a line in the log.
struct Sources {
    std::function<std::string()> metrics;  ///< Prometheus text format 0.0.4
    std::function<Readiness()> readiness;
    std::function<Status()> status;
};

/// HTTP/1.1 for those who look after Weir: /metrics, /healthz, /readyz, /api/v1/status.
///
/// It has a thread and a loop of its own, so that a scrape never delays mail. What a peer can make it hold is bounded:
/// 64 connections (one more is closed at once), 8 KiB of header, 4 KiB of body, 10 s for each request and each answer.
///
/// Owns:    the listening socket and its connections; not the log, nor what the sources refer to: they must outlive it.
/// Errors:  the constructors throw std::runtime_error, saying which address and why; afterwards there are none.
/// Threads: the constructing thread owns it; it answers on its own.
class Server {
public:
    /// How long a request may take to arrive, and an answer to be taken.
    static constexpr core::Duration default_patience = std::chrono::seconds(10);

    /// Port 0 takes any free one; see port().
    Server(const boost::asio::ip::tcp::endpoint& address, Sources sources, telemetry::Log& log,
           core::Duration patience = default_patience);

    /// Takes over a TCP socket that is bound and listening (LISTEN_FDS).
    Server(int listening_socket, Sources sources, telemetry::Log& log, core::Duration patience = default_patience);

    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    [[nodiscard]] std::uint16_t port() const;

    /// Ends all connections and waits for the thread; no source is called afterwards. May be called again.
    void stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::admin
