#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::policy {

/// The command that was answered; `connect` is the greeting, `data` both DATA and the final dot.
enum class Stage : std::uint8_t { unknown, connect, ehlo, auth, mail, rcpt, data };

/// "connect", "rcpt".
[[nodiscard]] std::string_view to_string(Stage stage);
[[nodiscard]] std::optional<Stage> parse_stage(std::string_view name);

/// What there is to judge a reply by.
///
/// Owns: nothing; the texts outlive it.
struct ReplyFacts {
    int code = 0;  ///< the first three bytes of the wire lines, and no other number
    std::string_view
        enhanced_status{};    ///< "4.7.1"; empty: looked for at the start of the text, and in "(#4.3.0)" at its end
    std::string_view text{};  ///< all lines, joined by line ends
    Stage stage = Stage::unknown;
};

/// A reply taken apart: the status that its lines begin with, and the rest of them, joined by line ends.
struct ReplyText {
    std::string enhanced_status;
    std::string text;
};

/// Takes the lines of a reply apart, each without its code and CRLF, as smtp::Reply has them. A status that is said
/// again on each line (RFC 2034 4) is taken off each.
[[nodiscard]] ReplyText split_lines(std::span<const std::string> lines);

/// The enhanced status code (RFC 3463) that a text begins with, or "#5.7.1" there, or "(#4.3.0)" at its end; else
/// empty. Addresses and versions ("4.16.55.1", "[192.0.2.1]") are none.
[[nodiscard]] std::string_view find_status(std::string_view text);

/// The text without the status that it begins with.
[[nodiscard]] std::string_view without_status(std::string_view text);

}  // namespace weir::policy
