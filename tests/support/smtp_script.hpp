#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "weir/smtp/server_session.hpp"

namespace weir::test {

/// A whole dialogue between Postfix, a ServerSession and what stands behind it, written down step by step:
///
///     SmtpScript script;
///     script.weir("220 weir.example ESMTP Weir\r\n").peer("EHLO a.example\r\n").weir_any()
///           .peer("MAIL FROM:<a@a.example>\r\n").asks("MAIL FROM:<a@a.example>", yes()).weir("250 2.0.0 yes\r\n");
///     script.run();
///
/// What the peer sends next it sends when the session reads and has said all that the script has it say before. Every
/// run goes through a WatchedSession.
///
/// Errors: the runs throw BrokenPromise, with what came and what should have come.
class SmtpScript {
public:
    SmtpScript();
    explicit SmtpScript(smtp::ServerOptions options) : options_(std::move(options)) {}

    SmtpScript& peer(std::string bytes);
    SmtpScript& weir(std::string bytes);  ///< said, to the letter
    SmtpScript& weir_any();               ///< one reply, whatever it says

    /// The driver is asked, and answers: `command` is what the relay would get of it ("MAIL FROM:<a@b> SIZE=10", "RCPT
    /// TO:<c@d>", "DATA"), or "." for the end of the body.
    SmtpScript& asks(std::string command, smtp::Reply answer);
    /// The MAIL just asked for comes with this XFORWARD; without it none must have come.
    SmtpScript& of(const std::string& client, const std::string& ident);

    SmtpScript& body(std::string bytes);  ///< passed on, in pieces of any size
    SmtpScript& body_refused();
    SmtpScript& abandoned();
    SmtpScript& tls();     ///< the handshake, which succeeds
    SmtpScript& drain();   ///< before the peer sends on
    SmtpScript& closed();  ///< by the session

    /// What every session begins with, up to EHLO's reply.
    SmtpScript& greeted();

    /// The dialogue as it stands: once with every answer given at once, once with those given late and in another
    /// order.
    void run() const;

    /// The same dialogue, cut off at each read and write in turn, by a peer that is gone and by one that is silent.
    void run_failing_at_every_step() const;

    /// The peer's bytes in every two pieces, and byte by byte: nothing else may change.
    void run_in_every_split() const;

private:
    class Run;

    struct Peer {
        std::string bytes;
    };
    struct Said {
        std::optional<std::string> bytes;  ///< none: any one reply
    };
    /// Something the driver gets to do: a question, a body, an end.
    struct Event {
        std::string what;
        std::optional<smtp::Reply> answer;
    };
    struct Drain {};
    using Step = std::variant<Peer, Said, Event, Drain>;

    smtp::ServerOptions options_;
    std::vector<Step> steps_;
};

/// "250 2.0.0 yes"
[[nodiscard]] smtp::Reply yes();
/// "354 go ahead"
[[nodiscard]] smtp::Reply go_ahead();
/// "451 4.7.1 later", as for what is over a limit.
[[nodiscard]] smtp::Reply later();
/// "550 5.1.1 no"
[[nodiscard]] smtp::Reply no();

}  // namespace weir::test
