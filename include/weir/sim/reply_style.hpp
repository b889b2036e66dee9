#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/core/result.hpp"
#include "weir/core/time.hpp"
#include "weir/sim/stage.hpp"
#include "weir/smtp/reply.hpp"

namespace weir::sim {

/// Whose words the ISP speaks. A style without words of its own for an occasion speaks `generic`.
enum class Style : std::uint8_t { generic, comcast, free, gmail, ionos, m365, orange, postfix, ses, yahoo };

/// What there is to say.
enum class Occasion : std::uint8_t {
    rate,                     ///< too much in a short window
    recipient_rate,           ///< the same, where recipients are counted
    daily_quota,              ///< the same, in a window of half a day or more
    connections,              ///< too many at a time
    messages_per_connection,  ///< this connection has had its share
    recipients_per_message,   ///< split the envelope
    blocked_greeting,         ///< reputation, said to a new session
    blocked_mail,             ///< reputation, said at MAIL
    greylisted,
    unknown_user,
};

/// A reply with placeholders, and the stage at which that provider gives it.
struct StyledReply {
    smtp::Reply reply;
    Stage stage = Stage::mail;
};

[[nodiscard]] StyledReply styled_reply(Style style, Occasion occasion);

/// "451 4.7.1 text", several lines separated by '\n' each with the same code ("450-first\n450 last").
/// Errors: Errc::bad_syntax, Errc::out_of_range for a code outside 200-599.
[[nodiscard]] core::Result<smtp::Reply> parse_reply(std::string_view text);

/// What the placeholders {client}, {hostname}, {sender}, {recipient} and {wait} (in seconds) stand for.
struct Placeholders {
    std::string_view client;
    std::string_view hostname;
    std::string_view sender;
    std::string_view recipient;
    core::Duration wait{};
};

[[nodiscard]] smtp::Reply filled(const smtp::Reply& pattern, const Placeholders& values);

[[nodiscard]] std::optional<Style> parse_style(std::string_view name);
[[nodiscard]] const std::vector<std::string_view>& style_names();

}  // namespace weir::sim
