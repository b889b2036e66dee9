#pragma once

#include <atomic>
#include <chrono>

#include "weir/core/time.hpp"

namespace weir::test {

/// A clock that moves only when told to. It starts at an hour, so that a test can look back.
///
/// Threads: any thread may read or move it.
class ManualClock final : public core::Clock {
public:
    [[nodiscard]] core::TimePoint now() const override { return core::TimePoint(elapsed()); }

    /// Wall time runs along with steady time, from 2026-11-24T04:00:00Z.
    [[nodiscard]] core::WallTime wall() const override {
        using namespace std::chrono;
        constexpr core::WallTime start = sys_days(2026y / November / 24) + 4h;
        return start + duration_cast<microseconds>(elapsed() - start_);
    }

    void advance(core::Duration by) { elapsed_ += by.count(); }

private:
    static constexpr core::Duration start_ = std::chrono::hours(1);

    [[nodiscard]] core::Duration elapsed() const { return core::Duration(elapsed_.load()); }

    std::atomic<core::Duration::rep> elapsed_ = start_.count();
};

}  // namespace weir::test
