#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/core/result.hpp"

namespace weir::smtp {

/// One SMTP reply (RFC 5321 4.2), with its lines as they stood on the wire, without code and CRLF.
///
/// The text of a line is everything after "250-" or "250 ", the enhanced status code included.
struct Reply {
    int code = 0;
    std::vector<std::string> lines;

    Reply() = default;
    Reply(int reply_code, std::string text);

    [[nodiscard]] bool is_positive() const { return code >= 200 && code < 300; }
    [[nodiscard]] bool is_transient() const { return code >= 400 && code < 500; }
    [[nodiscard]] bool is_permanent() const { return code >= 500; }

    /// "451 4.7.1 held\r\n": what goes on the wire, always valid whatever the lines hold (controls become '?').
    [[nodiscard]] std::string wire() const;
    void append_wire(std::string& out) const;

    /// The first line with its code, for logs.
    [[nodiscard]] std::string summary() const;

    bool operator==(const Reply&) const = default;
};

/// Reads replies from a byte stream, whatever pieces it comes in.
///
/// Limits: a line 2,000 characters, a reply 100 lines and 16 KiB; beyond that feed() fails.
/// Errors: Errc::line_too_long, Errc::bad_reply (no code, codes that differ between lines, a bare LF, NUL).
///         After an error the stream cannot be used any more.
class ReplyParser {
public:
    /// Takes bytes until one reply is whole; returns how many it took. Call ready()/take() after each.
    [[nodiscard]] core::Result<std::size_t> feed(std::string_view bytes);

    /// A whole reply is waiting.
    [[nodiscard]] bool ready() const { return ready_; }
    [[nodiscard]] Reply take();

    /// Nothing of a reply has been read yet.
    [[nodiscard]] bool empty() const { return line_.empty() && reply_.lines.empty(); }

private:
    [[nodiscard]] core::Error end_line();

    std::string line_;
    Reply reply_;
    std::size_t total_ = 0;
    bool ready_ = false;
};

}  // namespace weir::smtp
