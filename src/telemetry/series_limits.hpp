#pragma once

#include <cstddef>

namespace weir::telemetry {

/// How many values a label may take before the rest is counted as `other`.
inline constexpr std::size_t most_lanes = 64;
inline constexpr std::size_t most_limits = 256;
inline constexpr std::size_t most_relays = 64;
inline constexpr std::size_t most_protocol_errors = 32;
inline constexpr std::size_t most_origins = 20;

}  // namespace weir::telemetry
