#pragma once

#include <optional>
#include <string_view>

#include "weir/core/time.hpp"

namespace weir::policy {

/// How long a reply asks us to wait ("try again in 300 seconds", "come back in 00:04:58", "blocked for 1 hour"), in any
/// of the languages that relays speak. None where the text names no time, or one that is no delay ("60 messages in 60
/// seconds"), or one that is zero or longer than a week.
///
/// `text` is what plain_text() made. Time: linear.
[[nodiscard]] std::optional<core::Duration> find_delay(std::string_view text);

/// The text speaks of a limit per second: after one it has moved on.
[[nodiscard]] bool names_seconds_limit(std::string_view text);

}  // namespace weir::policy
