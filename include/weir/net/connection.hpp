#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <span>
#include <string_view>

#include "weir/core/result.hpp"
#include "weir/core/time.hpp"
#include "weir/net/task.hpp"

namespace weir::net {

/// One TCP connection and its one deadline.
///
/// Reading takes no buffer from the caller: commands arrive in 1 KiB of its own, bodies in 64 KiB that the worker
/// thread's connections share, so an idle session costs a socket, that kibibyte and its coroutine frames.
///
/// Owns:    the socket. Destruction closes it.
/// Errors:  core::Errc::timed_out, core::Errc::closed_by_peer, else what the system said.
/// Cancel:  a deadline cancels the pending wait, not the socket: the peer can still be told.
/// Threads: one thread, the one that runs the socket's executor.
class Connection {
public:
    explicit Connection(boost::asio::ip::tcp::socket socket);
    Connection(Connection&&) noexcept;
    Connection& operator=(Connection&&) noexcept;
    ~Connection();

    /// What has arrived, at least one byte. The span is valid until the next co_await of anything.
    Task<core::Result<std::span<const char>>> read_some(core::Duration timeout);

    /// All of `bytes` within `timeout`. They must stay valid until it returns, except when it points into what
    /// read_some() gave: that is copied if the peer makes us wait.
    Task<core::Error> write_all(std::string_view bytes, core::Duration timeout);

    /// As much of `bytes` as the socket takes without waiting; for a farewell that nobody waits for.
    void write_now(std::string_view bytes);

    /// True when something can be read, or the peer has closed: an idle relay connection is then no longer good.
    [[nodiscard]] bool has_unread_or_closed();

    [[nodiscard]] boost::asio::any_io_executor executor();

    /// Makes a pending read_some()/write_all() return `operation_canceled`; used by drain.
    void cancel();

    /// Closes in order: what was written still arrives.
    void close();

private:
    struct State;
    std::shared_ptr<State> state_;
};

/// Connects to the first endpoint that answers. Errors as above.
Task<core::Result<Connection>> connect(std::span<const boost::asio::ip::tcp::endpoint> endpoints,
                                       core::Duration timeout);

}  // namespace weir::net
