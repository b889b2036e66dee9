#pragma once

#include <algorithm>
#include <vector>

#include "weir/core/units.hpp"

namespace weir::limit {

/// Something that passed, and when. Passes are listed in order of time.
struct Pass {
    core::TimePoint at;
    std::uint64_t cost = 1;
};

/// By how much the worst of all windows exceeds `burst + rate x T`; 0 or less: the bound held in every one.
///
/// For each pass as the end of a window the worst beginning is the one with the least (sum before it - rate x time),
/// so one walk looks at all pairs.
inline long double worst_excess(const std::vector<Pass>& passes, const core::Quota& quota) {
    const long double rate =
        static_cast<long double>(quota.rate.count) / static_cast<long double>(quota.rate.per.count());
    long double sum = 0;
    long double least = 0;
    long double worst = -static_cast<long double>(quota.burst);
    for (const Pass& pass : passes) {
        const long double earned = rate * static_cast<long double>((pass.at - passes.front().at).count());
        least = std::min(least, sum - earned);
        sum += static_cast<long double>(pass.cost);
        worst = std::max(worst, sum - earned - least - static_cast<long double>(quota.burst));
    }
    return worst;
}

}  // namespace weir::limit
