#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::policy {

/// What a relay's reply means for how Weir should go on.
enum class ReplyClass : std::uint8_t {
    ok,          ///< 2xx, 334, 354
    rate,        ///< we were over a limit of speed, number, connections or quota
    reputation,  ///< our address, domain or account is listed, suspected or complained about
    auth,        ///< credentials, permission to relay or to use this sender, TLS demanded first: waiting never helps
    recipient,   ///< one mailbox: unknown, full, greylisted, or receiving too fast
    content,     ///< this message or envelope
    system,      ///< the far side is ill or asks to come back later for reasons not tied to us; and what nobody knows
};

/// Whom the reply is about, which is what a hold should be keyed on.
enum class Scope : std::uint8_t {
    unknown,
    host,       ///< our address, connection or lane
    account,    ///< the login, tenant or customer that Weir is to the relay
    sender,     ///< envelope sender, or its domain
    recipient,  ///< one mailbox
    message,    ///< one message or transaction
};

/// "rate", "host": as they are written in the configuration, in logs and in metrics.
[[nodiscard]] std::string_view to_string(ReplyClass reply_class);
[[nodiscard]] std::string_view to_string(Scope scope);
[[nodiscard]] std::optional<ReplyClass> parse_reply_class(std::string_view name);
[[nodiscard]] std::optional<Scope> parse_scope(std::string_view name);

/// The scope that a class has where nothing more is known: `recipient` is about a recipient, `content` about a message.
[[nodiscard]] Scope usual_scope(ReplyClass reply_class);

}  // namespace weir::policy
