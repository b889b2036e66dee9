#pragma once

#include <cstdint>
#include <deque>

#include "weir/core/time.hpp"
#include "weir/core/units.hpp"
#include "weir/sim/settings.hpp"

namespace weir::sim {

/// How much of one allowance one key has used: a sliding window, a fixed one, or a token bucket.
///
/// A place is held while its message is under way, and then either used or given back.
///
/// Time:    steady, given by the caller, never going back. Fixed windows are counted from `epoch`.
/// Threads: not synchronised; one owner.
class AllowanceWindow {
public:
    AllowanceWindow(LimitSettings::Window kind, const core::Quota& quota, core::TimePoint epoch);

    [[nodiscard]] bool has_room(core::TimePoint now, std::uint64_t amount);

    /// How long until there is room, if nothing else happens. Duration::zero() when what is held is all that is in the
    /// way: nobody knows how long that takes.
    [[nodiscard]] core::Duration wait(core::TimePoint now, std::uint64_t amount);

    void hold(std::uint64_t amount) { held_ += amount; }
    void give_back(std::uint64_t amount);
    void use(core::TimePoint now, std::uint64_t amount);  ///< of what was held

    /// Uses what was never held.
    void add(core::TimePoint now, std::uint64_t amount);

    [[nodiscard]] std::uint64_t used(core::TimePoint now);
    [[nodiscard]] std::uint64_t held() const { return held_; }
    [[nodiscard]] bool is_idle(core::TimePoint now) { return held_ == 0 && used(now) == 0; }

    void clear();

private:
    struct Entry {
        core::TimePoint at;
        std::uint64_t amount;
    };

    [[nodiscard]] core::Duration cost(std::uint64_t amount) const;
    void expire(core::TimePoint now);

    LimitSettings::Window kind_;
    core::Quota quota_;
    core::TimePoint epoch_;
    std::deque<Entry> entries_;  ///< what counts now; not for a bucket
    std::uint64_t sum_ = 0;      ///< of entries_
    core::TimePoint full_at_{};  ///< when the bucket will next be full; only for a bucket
    std::uint64_t held_ = 0;
};

}  // namespace weir::sim
