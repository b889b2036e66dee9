#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "weir/core/result.hpp"
#include "weir/smtp/extensions.hpp"
#include "weir/smtp/reply.hpp"

namespace weir::smtp {

/// The relay's side of a connection: greeting, EHLO, then commands and their replies in order. No I/O, no clock.
///
/// Until is_ready(), and while awaiting() is above 0, the driver reads and calls feed(); what take_output() gives it
/// writes.
///
/// Errors:  error() once the dialogue cannot go on: Errc::relay_refused (see refusal()), Errc::bad_reply,
///          Errc::line_too_long, Errc::unexpected_reply for a reply to nothing that was taken to be written yet. The
///          connection is then good for nothing.
/// Threads: not synchronised; one owner.
class ClientSession {
public:
    /// Requires: `ehlo_name` is a host name or an address literal.
    explicit ClientSession(std::string ehlo_name);

    /// Bytes from the relay.
    void feed(std::string_view bytes);

    /// Bytes for the relay; empty when there is nothing to write.
    [[nodiscard]] std::string take_output();

    /// Greeted and EHLO (or HELO) accepted: commands may be sent.
    [[nodiscard]] bool is_ready() const { return stage_ == Stage::ready && !error_; }

    [[nodiscard]] const core::Error& error() const { return error_; }

    /// The reply behind Errc::relay_refused or Errc::unexpected_reply.
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
    enum class Stage : std::uint8_t { greeting, ehlo, helo, ready };

    void on_reply(Reply reply);
    void refuse(Reply reply);

    std::string ehlo_name_;
    Stage stage_ = Stage::greeting;
    core::Error error_;
    std::optional<Reply> refusal_;
    Extensions extensions_;
    std::string output_;
    std::size_t awaiting_ = 1;   ///< the greeting
    std::size_t unwritten_ = 0;  ///< how many of them answer commands that are still in output_
    std::deque<Reply> replies_;
    ReplyParser parser_;
};

}  // namespace weir::smtp
