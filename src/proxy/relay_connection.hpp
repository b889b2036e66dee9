#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "weir/core/result.hpp"
#include "weir/core/time.hpp"
#include "weir/net/connection.hpp"
#include "weir/proxy/settings.hpp"
#include "weir/smtp/client_session.hpp"

namespace weir::proxy {

/// An SMTP connection to a relay: `smtp::ClientSession` over `net::Connection`.
///
/// Time:    a timeout is for the whole of what is asked for, however small the pieces that it comes or goes in.
/// Errors:  core::Errc::timed_out of read_reply() with nothing left to flush leaves it usable, one may go on waiting;
///          after any other error it is only good for closing.
/// Threads: one worker's.
class RelayConnection {
public:
    RelayConnection(net::Connection connection, RelayAddress relay, smtp::ClientOptions options);

    /// How TLS is spoken with this relay.
    struct Tls {
        std::shared_ptr<const net::TlsClient> client;  ///< null: not at all
        std::string server_name;
        std::string session_name;
        bool wrapper = false;
    };

    /// Everything up to the first MAIL: greeting and EHLO, TLS, EHLO again and the login, each of the three within
    /// `timeout` and all of them before `until`. On an error problem() says why.
    net::Task<core::Error> handshake(const Tls& tls, core::Duration timeout, core::TimePoint until);

    /// Why the handshake failed, in words for logs and replies; never a password.
    [[nodiscard]] std::string problem(const core::Error& error) const;

    [[nodiscard]] const net::Connection& transport() const { return connection_; }

    /// Queues a command line; it leaves with the next flush(), read_reply() or write_body().
    void queue(std::string_view line) { session_.send(line); }

    net::Task<core::Error> flush(core::Duration timeout);

    /// The reply to the oldest command that has none yet.
    net::Task<core::Result<smtp::Reply>> read_reply(core::Duration timeout);

    net::Task<core::Error> write_body(std::string_view bytes, core::Duration timeout);

    /// The body's last piece has been written: the next read_reply() is for it.
    void expect_reply() { session_.expect_reply(); }

    /// While no reply is due: false when the relay has closed, or said something that nobody asked for.
    [[nodiscard]] bool is_fit_for_reuse();

    /// Makes what is being waited for fail.
    void cancel() { connection_.cancel(); }

    /// Says QUIT and waits, a few seconds at most, until the relay has closed: only then does it count one less.
    net::Task<> quit();

    /// Says QUIT without waiting for anything, and closes.
    void hang_up();

    [[nodiscard]] const RelayAddress& relay() const { return relay_; }
    [[nodiscard]] const smtp::ClientSession& session() const { return session_; }

    unsigned messages = 0;                    ///< transactions that got as far as DATA
    std::shared_ptr<const Settings> made_by;  ///< what was configured when it was opened
    bool needs_reset = false;                 ///< the last transaction was left open: RSET goes before the next MAIL
    core::TimePoint idle_since{};

private:
    net::Task<core::Error> start_tls(const Tls& tls, core::Duration timeout);
    net::Task<core::Error> read(core::TimePoint deadline);

    net::Connection connection_;
    RelayAddress relay_;
    smtp::ClientSession session_;
};

}  // namespace weir::proxy
