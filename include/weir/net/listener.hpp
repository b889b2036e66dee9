#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>

#include "weir/core/result.hpp"

namespace weir::net {

/// One listening socket of one worker.
///
/// bind() sets SO_REUSEPORT: the workers of a process, and the old and the new process during a restart, listen side
/// by side, so the port is never closed (a closed port makes Postfix suspend the relay).
///
/// Owns:    the socket.
/// Errors:  out of descriptors or memory, accepting pauses for 100 ms instead of spinning, and on_pause is told.
/// Threads: one thread, the executor's.
class Listener {
public:
    using OnSocket = std::function<void(boost::asio::ip::tcp::socket, const boost::asio::ip::tcp::endpoint& peer)>;
    using OnPause = std::function<void(const core::Error&)>;
    using MayAccept = std::function<bool()>;

    [[nodiscard]] static core::Result<Listener> bind(const boost::asio::any_io_executor& executor,
                                                     const boost::asio::ip::tcp::endpoint& endpoint);

    /// Takes over a listening descriptor (socket activation). It is duplicated: the original stays the caller's.
    [[nodiscard]] static core::Result<Listener> adopt(const boost::asio::any_io_executor& executor, int descriptor);

    [[nodiscard]] boost::asio::ip::tcp::endpoint local() const;

    /// While `may_accept` says no, which is asked every 50 ms, connections wait in the backlog: the kernel has accepted
    /// them, and their peers wait for a greeting.
    void start(
        OnSocket on_socket, OnPause on_pause, MayAccept may_accept = [] { return true; });

    /// Hands over the connections that are already waiting in the backlog, then closes.
    ///
    /// A socket that was adopted is closed without that: its other owners go on listening on it.
    void stop();

private:
    struct State;
    explicit Listener(std::shared_ptr<State> state);

    std::shared_ptr<State> state_;
};

}  // namespace weir::net
