#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "weir/core/ip.hpp"

namespace weir::smtp {

/// Where a message first came from, as Postfix tells it with XFORWARD; valid for one message.
///
/// Values are xtext-decoded and may hold any byte but controls: what a HELO said is a stranger's word.
struct Forwarded {
    enum class Source : std::uint8_t { unknown, local, remote };

    bool seen = false;  ///< at least one XFORWARD command came for this message
    std::string name;
    std::optional<core::IpAddress> address;
    std::string port;
    std::string protocol;
    std::string helo;
    std::string ident;  ///< queue ID of first reception
    Source source = Source::unknown;
};

/// Takes one XFORWARD command's attributes into `out`, over what earlier commands said.
///
/// "[UNAVAILABLE]" and "[TEMPUNAVAIL]" clear an attribute. Unknown attributes are ignored. Broken xtext loses its bad
/// bytes to '?' and what is over 1,024 bytes is cut off, for Postfix sends the message whatever we answer; only a bad
/// ADDR or a missing '=' is an error.
/// Returns false for 501 5.5.4, having changed nothing.
[[nodiscard]] bool parse_xforward(std::string_view argument, Forwarded& out);

/// RFC 3461 4 xtext; nothing when it is malformed or hides a control character.
[[nodiscard]] std::optional<std::string> decode_xtext(std::string_view text);

}  // namespace weir::smtp
