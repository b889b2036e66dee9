#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "weir/core/result.hpp"
#include "weir/core/time.hpp"
#include "weir/smtp/body_scanner.hpp"
#include "weir/smtp/command.hpp"
#include "weir/smtp/extensions.hpp"
#include "weir/smtp/reply.hpp"
#include "weir/smtp/request_deadline.hpp"
#include "weir/smtp/xforward.hpp"

namespace weir::smtp {

/// What a session needs to know beforehand.
struct ServerOptions {
    std::string hostname;
    bool starttls = false;  ///< offer it (RFC 3207)
    Extensions offer;       ///< what EHLO announces, beside PIPELINING, ENHANCEDSTATUSCODES and XFORWARD
    core::Duration command_timeout = std::chrono::seconds(300);  // RFC 5321 4.5.3.2.7
    core::Duration data_timeout = std::chrono::seconds(180);     // RFC 5321 4.5.3.2.5
    std::uint64_t min_data_rate = 500;                           // bytes per second; see RequestDeadline
    std::size_t max_recipients = 1000;
    std::size_t max_errors = 20;
};

/// Which question an answer belongs to; counts up within a session.
using Slot = std::uint64_t;

// What the driver does next. Timeouts are data: the driver owns the timer.

struct Read {  ///< read bytes, then feed(), or fail()
    core::Duration timeout;
    bool begins = false;  ///< a new request may come: nothing of it has been read yet
};
struct Write {  ///< write all of it; on trouble fail(). Valid until the next call of anything.
    std::string_view bytes;
};
struct AskMail {  ///< answer(slot) now or at Settle. Valid until the next call of next().
    Slot slot;
    MailRequest request;
};
struct AskRcpt {  ///< answer(slot) now or at Settle. The MAIL before it may still be unanswered. Valid as above.
    Slot slot;
    RcptRequest request;
};
struct Settle {};  ///< nothing more to pipeline: answer all open slots now
struct AskData {   ///< at least one recipient was accepted; answer(slot) with 354 or a refusal
    Slot slot;
};
struct Body {  ///< clean bytes to send on, dots still stuffed. Valid until the next call of anything.
    std::string_view bytes;
};
struct BodyRefused {};  ///< a bare CR, LF or NUL: make sure that the relay does not accept what it has got so far
struct EndOfBody {      ///< the final dot has been passed on in a Body; answer(slot) with the relay's reply
    Slot slot;
};
struct Abandon {};   ///< the transaction is over without a message: RSET, EHLO, QUIT, or the client went away.
                     ///< Also comes after a MAIL that was refused; not after a DATA that was, nor after EndOfBody.
struct StartTls {};  ///< the peer waits for the handshake: tls_done() when it has succeeded, else fail()
struct Close {};     ///< nothing follows

using Action = std::variant<Read, Write, AskMail, AskRcpt, Settle, AskData, Body, BodyRefused, EndOfBody, Abandon,
                            StartTls, Close>;

/// One SMTP session with Postfix: what was said, what is due, in which order. It does no I/O and has no clock.
///
/// The driver calls next() and carries out what it says, until Close. Every command gets exactly one reply, in order
/// (RFC 2920 3.2). Replies are handed out as Write before the session reads again; a driver that has to wait long for
/// a relay hands them out earlier with unsent(). The greeting, EHLO and XFORWARD never fail, relay or no relay: a
/// failure there makes Postfix suspend all mail (or send it without XFORWARD).
///
/// Whatever a driver answers, Postfix never hears a 421, a 3xx where none belongs, or a code that is none: those
/// become 451, for Postfix would suspend the whole destination or bounce.
///
/// A refused sender, recipient or XFORWARD is never held against the session: a stranger chose it, and must not be able
/// to make us hang up on Postfix.
///
/// Memory:  one partial line (8 KiB) and what one read brought; nothing that grows with a message.
/// Errors:  what no mail server says is answered; after `max_errors` such commands without a message delivered, the
///          session ends with 421 4.7.0. It ends at once where what follows cannot be told apart: BDAT, commands
///          behind a refused DATA or behind STARTTLS, another protocol (HTTP, TLS, PROXY).
/// Threads: not synchronised; one owner.
class ServerSession {
public:
    explicit ServerSession(ServerOptions options);

    [[nodiscard]] Action next();

    /// Bytes from the peer, once for each Read, which has `waited` so long for them. They need to stay valid only until
    /// next() returns something other than Body.
    void feed(std::string_view bytes, core::Duration waited = {});

    /// Reading or writing did not work: timed_out is answered with 421 4.4.2, anything else ends the session.
    void fail(core::Error error);

    void answer(Slot slot, Reply reply);

    /// From here on all is encrypted. The peer begins anew, with EHLO.
    void tls_done();

    /// Replies that are due but not handed out yet, for a driver that is kept waiting; it must write them.
    [[nodiscard]] std::string unsent();

    /// The daemon wants to stop: the session ends as soon as that costs Postfix nothing, that is after a message or
    /// at RSET (RFC 5321 3.8 would allow 421 at any command, but Postfix counts that against the whole relay).
    void drain() { draining_ = true; }

    /// Who the message comes from, as far as XFORWARD said.
    [[nodiscard]] const Forwarded& forwarded() const { return forwarded_; }

private:
    enum class Phase : std::uint8_t { greeting, command, body, end_of_body, starttls, closing, closed };
    enum class Mail : std::uint8_t { none, asked, accepted, refused };

    struct Pending {
        enum class Kind : std::uint8_t { plain, mail, rcpt, data, end };
        Slot slot;
        Kind kind;
        std::optional<Reply> reply;
    };

    /// What a command led to: an action for the driver, or nothing because its reply is already queued.
    using Outcome = std::optional<Action>;

    Outcome take_command();
    Outcome dispatch(const Command& command);
    Outcome on_mail(std::string_view argument);
    Outcome on_rcpt(std::string_view argument);
    Outcome on_data(std::string_view argument);
    Outcome on_bare_control(Verb verb);
    Outcome scan_body();
    Action wait();
    void on_hello(std::string_view argument, bool extended);
    void on_xforward(std::string_view argument);
    void on_reset(bool first_after_message);
    void on_starttls(std::string_view argument);
    void on_answered(const Pending& pending);
    void refuse_mail(Reply reply);
    void refuse_recipient(Reply reply);
    void remember_refusal(const Reply& reply);
    void close_if_more_came();
    [[nodiscard]] Reply refusal_of_recipient() const;
    void say(Reply reply);
    void complain(Reply reply);
    void say_and_close(Reply reply);
    void abandon();
    void end_transaction();
    void release_buffers();
    void take_answers();
    void skip_long_line();
    void compact();
    [[nodiscard]] std::string_view unread() const { return std::string_view(input_).substr(input_at_); }
    [[nodiscard]] Slot open_slot(Pending::Kind kind);

    ServerOptions options_;
    Phase phase_ = Phase::greeting;
    Mail mail_ = Mail::none;
    bool draining_ = false;
    bool is_encrypted_ = false;
    bool skipping_line_ = false;  ///< inside a line that is over its limit
    bool smtputf8_ = false;       ///< MAIL said so: non-ASCII recipients are allowed
    bool body_refused_ = false;
    bool abandon_due_ = false;
    bool request_due_ = true;     ///< the next Read is for a request of which nothing has come
    bool after_message_ = false;  ///< nothing has come since the last message's reply
    std::size_t errors_ = 0;
    std::size_t recipients_ = 0;
    std::size_t accepted_recipients_ = 0;
    std::optional<Reply> refusal_;  ///< why MAIL, or every recipient so far, was refused: DATA says the same
    Forwarded forwarded_;
    std::string input_;
    std::size_t input_at_ = 0;
    std::string_view fed_body_;  ///< body bytes in the driver's buffer, not copied
    std::string joined_;         ///< a held-back CR and what follows it
    std::string line_;           ///< the command being asked about; the requests' views point into it
    std::string output_;
    std::string writing_;
    std::vector<Pending> pending_;
    Slot last_slot_ = 0;
    BodyScanner scanner_;
    RequestDeadline deadline_;
};

}  // namespace weir::smtp
