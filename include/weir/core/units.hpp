#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "weir/core/result.hpp"
#include "weir/core/time.hpp"

namespace weir::core {

/// So many per so long, kept as the operator wrote it: 60/min is {60, 1 min}, not 1/s.
struct Rate {
    std::uint64_t count = 0;
    Duration per{};

    bool operator==(const Rate&) const = default;
};

/// A rate and the most that may come at once.
///
/// Text:  "60/min burst 30", "60/min, burst 30", "14/s", "10M/h burst 50M".
///        Without "burst" the burst is `count`: a full window at once.
///        Windows: s, min, h, day (also sec, second, m, minute, hour, d, and a number before: "10/5min").
///        Counts and bursts may carry k, M or G (powers of 1024 where they count bytes, of 1000 otherwise).
struct Quota {
    Rate rate;
    std::uint64_t burst = 0;

    bool operator==(const Quota&) const = default;
};

enum class Counts : std::uint8_t { things, bytes };

/// Errors: Errc::bad_syntax, or Errc::out_of_range for a rate or burst of 0 or above 10^12, a window above a year,
/// more than one per nanosecond, or a burst that a century would not refill.
[[nodiscard]] Result<Quota> parse_quota(std::string_view text, Counts counts = Counts::things);

/// "60/min", "10M/h", "10/5min": the rate as an operator says it, for replies and `weir explain`.
[[nodiscard]] std::string format_rate(const Rate& rate, Counts counts = Counts::things);

/// "500ms", "42s", "5m", "1h", "2d", "1h30m". A bare number is refused: it does not say its unit ("0" is fine).
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);

/// "42 s", "7 min", "2 h", "3 d", rounded up, never "0 s" for a wait that is not over. For people.
[[nodiscard]] std::string format_wait(Duration wait);

/// "4096", "64k", "10M", "1G" (powers of 1024; "KiB"/"MB" spellings too).
[[nodiscard]] Result<std::uint64_t> parse_bytes(std::string_view text);

}  // namespace weir::core
