#pragma once

#include <cstdint>

namespace weir::telemetry {

/// This process as the kernel sees it; 0 where /proc does not say.
struct ProcessFigures {
    double cpu_seconds = 0;         ///< user and system
    double start_time_seconds = 0;  ///< since the epoch
    std::uint64_t resident_bytes = 0;
    std::uint64_t virtual_bytes = 0;
    std::uint64_t open_fds = 0;
    std::uint64_t max_fds = 0;
};

[[nodiscard]] ProcessFigures read_process_figures();

}  // namespace weir::telemetry
