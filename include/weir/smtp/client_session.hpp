#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "weir/core/result.hpp"
#include "weir/smtp/extensions.hpp"
#include "weir/smtp/reply.hpp"
#include "weir/smtp/sasl.hpp"

namespace weir::smtp {

/// How a session with a relay begins.
struct ClientOptions {
    enum class StartTls : std::uint8_t {
        never,
        if_offered,
        required,
    };

    std::string ehlo_name;  ///< a host name or an address literal
    StartTls start_tls = StartTls::never;
    bool is_encrypted = false;  ///< from the first byte (port 465)
    std::optional<Credentials> credentials{};
    bool allow_plaintext_auth = false;  ///< the password may go without TLS
};

/// The relay's side of a connection: greeting, EHLO, STARTTLS (RFC 3207), AUTH (RFC 4954), then commands and their
/// replies in order. No I/O, no clock.
///
/// Until is_ready(), and while awaiting() is above 0, the driver writes what take_output() gives it, shakes hands when
/// wants_tls() says so, and otherwise reads and calls feed().
///
/// What the relay offered in clear text is forgotten with TLS, and bytes that came behind its reply to STARTTLS, which
/// somebody else may have put there, end the session.
///
/// Errors:  error() once the dialogue cannot go on: Errc::relay_refused or Errc::auth_failed (see refusal()),
///          Errc::tls_not_offered, Errc::auth_unavailable, Errc::auth_needs_tls, Errc::bad_reply,
///          Errc::line_too_long, Errc::unexpected_reply for a reply to nothing that was taken to be written yet. The
///          connection is then good for nothing.
/// Threads: not synchronised; one owner.
class ClientSession {
public:
    explicit ClientSession(ClientOptions options);

    /// Bytes from the relay.
    void feed(std::string_view bytes);

    /// Bytes for the relay; empty when there is nothing to write. May hold a password.
    [[nodiscard]] std::string take_output();

    /// The relay waits for our TLS handshake: call tls_started() when it is done.
    [[nodiscard]] bool wants_tls() const { return stage_ == Stage::tls && !error_; }
    void tls_started();

    /// Greeted, EHLO (or HELO) accepted, and TLS and login as the options want them: commands may be sent.
    [[nodiscard]] bool is_ready() const { return stage_ == Stage::ready && !error_; }

    [[nodiscard]] const core::Error& error() const { return error_; }

    /// The reply behind Errc::relay_refused, Errc::auth_failed or Errc::unexpected_reply.
    [[nodiscard]] const std::optional<Reply>& refusal() const { return refusal_; }

    [[nodiscard]] const Extensions& extensions() const { return extensions_; }

    /// Queues one command line (with CRLF), whose reply then counts as awaited.
    void send(std::string_view line);

    /// The next piece that the driver writes by itself is the end of a body: one reply is due for it.
    void expect_reply() { ++awaiting_; }

    /// How many replies are still due, the greeting's and EHLO's among them.
    [[nodiscard]] std::size_t awaiting() const { return awaiting_; }

    /// The oldest reply that came, if any.
    [[nodiscard]] std::optional<Reply> take_reply();

private:
    enum class Stage : std::uint8_t { greeting, ehlo, helo, starttls, tls, auth, ready };

    void on_reply(Reply reply);
    void on_ehlo(Reply reply);
    void on_starttls(Reply reply);
    void on_auth(Reply reply);
    void say_hello();
    void log_in();
    void refuse(Reply reply, core::Errc error = core::Errc::relay_refused);

    ClientOptions options_;
    Stage stage_ = Stage::greeting;
    core::Error error_;
    std::optional<Reply> refusal_;
    Extensions extensions_;
    LoginOffer offer_;
    std::unique_ptr<SaslClient> sasl_;
    std::string output_;
    std::size_t awaiting_ = 1;   ///< the greeting
    std::size_t unwritten_ = 0;  ///< how many of them answer commands that are still in output_
    std::deque<Reply> replies_;
    ReplyParser parser_;
};

}  // namespace weir::smtp
