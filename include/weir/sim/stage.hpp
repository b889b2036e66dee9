#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::sim {

/// The moments of an SMTP session at which the ISP can speak, fail or be slow, in their order.
enum class Stage : std::uint8_t {
    connect,   ///< accepted, and nothing said yet
    greeting,  ///< the 220
    ehlo,      ///< EHLO or HELO
    mail,
    rcpt,
    data,
    body,      ///< the first bytes after the 354
    dot,       ///< the whole message is here, its reply is not yet said
    accepted,  ///< the message is accepted: a drop loses its 250, all else comes behind it
    rset,
    quit,
};

inline constexpr std::array<std::string_view, 11> stage_names{"connect", "greeting", "ehlo",     "mail", "rcpt", "data",
                                                              "body",    "dot",      "accepted", "rset", "quit"};

[[nodiscard]] constexpr std::string_view to_string(Stage stage) {
    return stage_names[static_cast<std::size_t>(stage)];
}

[[nodiscard]] constexpr std::optional<Stage> parse_stage(std::string_view name) {
    for (std::size_t i = 0; i < stage_names.size(); ++i) {
        if (stage_names[i] == name) return static_cast<Stage>(i);
    }
    return std::nullopt;
}

}  // namespace weir::sim
