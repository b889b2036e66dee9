#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "weir/core/result.hpp"
#include "weir/core/time.hpp"
#include "weir/net/task.hpp"
#include "weir/net/tls.hpp"

namespace weir::net {

/// One TCP connection and its one deadline, in clear text until TLS is begun.
///
/// Reading takes no buffer from the caller: commands arrive in 1 KiB of its own, bodies in 64 KiB that the worker
/// thread's connections share, so an idle session costs a socket, that kibibyte and its coroutine frames.
///
/// Owns:    the socket. Destruction closes it.
/// Errors:  core::Errc::timed_out, core::Errc::closed_by_peer (with TLS also where the peer did not say goodbye),
///          core::Errc::tls_failed for a handshake, else what the system or OpenSSL said.
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

    /// TLS as the client. `server_name` is what the certificate is checked for and what SNI says; sessions are resumed
    /// between connections that give the same `session_name`. On an error tls_problem() says why.
    Task<core::Error> start_tls(TlsClient tls, std::string server_name, std::string session_name,
                                core::Duration timeout);

    /// TLS as the server.
    Task<core::Error> accept_tls(TlsServer tls, core::Duration timeout);

    [[nodiscard]] bool is_encrypted() const;
    [[nodiscard]] bool is_tls_session_resumed() const;  ///< Requires: is_encrypted()

    /// "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty in clear text.
    [[nodiscard]] std::string tls_summary() const;

    /// Why the last handshake failed; empty when none did.
    [[nodiscard]] const std::string& tls_problem() const;

    /// True when something can be read, or the peer has closed: an idle relay connection is then no longer good.
    [[nodiscard]] bool has_unread_or_closed();

    [[nodiscard]] boost::asio::any_io_executor executor();

    /// Makes a pending read_some()/write_all() return `operation_canceled`; used by drain.
    void cancel();

    /// Closes in order: what was written still arrives.
    void close();

private:
    struct State;

    Task<core::Error> shake_hands(bool as_client, core::Duration timeout);
    Task<core::Error> write_all_encrypted(std::string_view bytes, core::Duration timeout);

    std::shared_ptr<State> state_;
};

}  // namespace weir::net
