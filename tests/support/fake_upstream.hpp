#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/socket.hpp"

namespace weir::test {

/// Where in its dialogue the relay is.
enum class Stage : std::uint8_t {
    greeting,
    ehlo,
    starttls,   ///< the command
    handshake,  ///< of TLS, after STARTTLS or before the greeting; what is said goes in clear text before it
    auth,       ///< AUTH, and the lines that follow a 334
    mail,
    rcpt,
    data,
    body,  ///< bytes of a body have arrived, its dot has not
    dot,
    rset,
    quit,
    other,  ///< any other command
};

/// What the relay does at a stage: it says something, or what it always says, and then goes on, or not.
struct Reaction {
    enum class Then : std::uint8_t { go_on, close, reset };

    std::optional<std::string> say = {};  ///< on the wire, CRLF included; none: the usual reply
    Then then = Then::go_on;
    bool stalls = false;     ///< nothing happens before FakeUpstream::resume()
    std::string also = {};   ///< said in one breath with it: words that nobody asked for
    bool in_pieces = false;  ///< byte by byte, each only when the last one has been read
};

/// This reply (CRLF is added), and on it goes.
[[nodiscard]] Reaction reply(std::string_view text);
/// This reply, then end of file.
[[nodiscard]] Reaction reply_and_close(std::string_view text);
/// End of file without a reply.
[[nodiscard]] Reaction drop();
/// RST without a reply.
[[nodiscard]] Reaction reset();
/// Silence until resume(), then `reaction`.
[[nodiscard]] Reaction stall(Reaction reaction = {});

/// One message as it reached the relay.
struct Transaction {
    std::size_t connection = 0;           ///< counts from 1
    std::string mail;                     ///< the argument of MAIL: "FROM:<a@x.example> SIZE=315"
    std::vector<std::string> recipients;  ///< the arguments of the RCPTs that were accepted
    std::string body;                     ///< as it was on the wire, without the final ".\r\n"
    std::string verdict;                  ///< what the dot was answered with, CRLF included
    std::chrono::steady_clock::time_point begun;
    std::chrono::steady_clock::time_point ended;

    [[nodiscard]] bool accepted() const { return verdict.starts_with('2'); }
    [[nodiscard]] std::string sender() const;  ///< what stands between < and > of `mail`
};

/// The ISP's relay as a test wants it: it accepts everything, but for what the script says.
///
///     FakeUpstream relay;
///     relay.once(Stage::dot, reply("451 4.3.0 later"));
///     ...
///     relay.wait_for_accepted(3);
///
/// Each connection has a thread of its own, so one that stalls holds up nobody else.
///
/// Errors:  the wait functions throw TestFailure when it does not happen within `patience`.
/// Threads: all functions may be called from any thread.
class FakeUpstream {
public:
    /// What a rule gets to see.
    struct Step {
        Stage stage = Stage::other;
        std::string_view line;           ///< the command, without CRLF; empty where there is none
        std::size_t connection = 0;      ///< counts from 1
        const Transaction& transaction;  ///< so far
    };
    /// What to do, or nothing: then older rules are asked, and at last the default acts.
    using Rule = std::function<std::optional<Reaction>(const Step&)>;

    /// Listens on a free port, or on this one.
    explicit FakeUpstream(const std::string& address = "127.0.0.1", std::uint16_t port = 0);
    ~FakeUpstream();
    FakeUpstream(const FakeUpstream&) = delete;
    FakeUpstream& operator=(const FakeUpstream&) = delete;

    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] std::string address() const;  ///< "[ADDRESS]:PORT", as `upstream.relays` takes it

    // The script. The newest rule is asked first.
    void on(Stage stage, Reaction reaction);    ///< from now on
    void once(Stage stage, Reaction reaction);  ///< the next time
    void add_rule(Rule rule);
    void forget_rules();
    void announce(std::vector<std::string> capabilities);  ///< instead of those of a usual Postfix

    /// STARTTLS is offered, or TLS spoken from the first byte.
    void use_tls(const Identity& identity, const TlsManners& manners = {});
    /// AUTH PLAIN and LOGIN are offered, inside TLS only where there is TLS; without a login there is no mail.
    void require_login(const std::string& username, const std::string& password);

    void wait_for_stalled(std::size_t count);  ///< until so many connections stall at once
    void resume();                             ///< all that stall now

    void say_to_all(std::string_view bytes);  ///< on every open connection, asked or not
    void forget_bodies();                     ///< from now on Transaction::body stays empty: for large ones

    void stop_listening();  ///< new connections are refused, open ones live on
    void listen_again();    ///< on the same port
    void close_all();       ///< ends every open connection
    void reset_all();       ///< the same, with RST

    // What happened.
    [[nodiscard]] std::vector<Transaction> transactions() const;  ///< whose dot was answered, in that order
    [[nodiscard]] std::vector<Transaction> accepted() const;      ///< those of them answered with 250
    [[nodiscard]] std::vector<std::string> commands() const;      ///< every command line, over all connections
    [[nodiscard]] std::vector<std::string> clear_text() const;    ///< those of them that came without TLS
    [[nodiscard]] std::size_t connections() const;                ///< ever accepted
    [[nodiscard]] std::size_t logins() const;                     ///< that were accepted
    [[nodiscard]] std::size_t open_connections() const;
    [[nodiscard]] std::size_t data_without_recipient() const;  ///< how often DATA came that had nobody to go to

    std::vector<Transaction> wait_for_transactions(std::size_t count) const;
    std::vector<Transaction> wait_for_accepted(std::size_t count) const;
    void wait_for_command(std::string_view beginning) const;  ///< such a command has come, now or before
    void wait_for_open_connections(std::size_t count) const;

private:
    struct State;
    class Dialogue;

    void accept_connections();
    static void serve(std::shared_ptr<State> relay, Socket socket);

    std::shared_ptr<State> state_;  ///< shared with the connections' threads
    Socket listener_;
    std::thread acceptor_;
    std::vector<std::thread> threads_;  ///< of the connections; the acceptor's, until it is joined
};

}  // namespace weir::test
