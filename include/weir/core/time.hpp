#pragma once

#include <chrono>
#include <cstdint>

namespace weir::core {

/// Every interval in Weir, in nanoseconds.
using Duration = std::chrono::nanoseconds;

/// Steady time: for intervals, deadlines and limits. It never jumps with the wall clock.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

/// Wall time, UTC: for people, logs and files only.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

/// Where a room with a loop gets the time from; tests hand it a ManualClock.
///
/// Pure functions take a `TimePoint now` instead of a Clock.
/// Threads: now() and wall() may be called from any thread.
class Clock {
public:
    Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    virtual ~Clock() = default;

    [[nodiscard]] virtual TimePoint now() const = 0;
    [[nodiscard]] virtual WallTime wall() const = 0;
};

/// The machine's own clocks: CLOCK_MONOTONIC and CLOCK_REALTIME.
class SystemClock final : public Clock {
public:
    [[nodiscard]] TimePoint now() const override;
    [[nodiscard]] WallTime wall() const override;
};

}  // namespace weir::core
