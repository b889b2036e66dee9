#pragma once

#include <string>
#include <string_view>

namespace weir::telemetry {

/// What a peer sent, for people and for JSON: valid UTF-8 without control characters, escaped as in the log.
/// At most 4096 bytes of it; what is cut off is marked by "...".
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace weir::telemetry
