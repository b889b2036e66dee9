#include "fault_plan.hpp"

namespace weir::sim {
namespace {

// std::uniform_real_distribution may differ between libraries; these 53 bits do not.
double unit_interval(std::mt19937_64& random) {
    return static_cast<double>(random() >> 11U) * 0x1p-53;
}

}  // namespace

FaultPlan::FaultPlan(const std::vector<FaultSettings>& faults, std::uint64_t seed) {
    entries_.reserve(faults.size());
    for (const FaultSettings& fault : faults) {
        entries_.push_back({&fault, 0, std::mt19937_64(seed + 0x9e3779b97f4a7c15U * entries_.size())});
    }
}

const FaultSettings* FaultPlan::strike(Stage stage) {
    const FaultSettings* chosen = nullptr;
    for (Entry& entry : entries_) {
        if (entry.fault->stage != stage) continue;
        if (strikes(entry) && chosen == nullptr) chosen = entry.fault;
    }
    return chosen;
}

bool FaultPlan::strikes(Entry& entry) {
    ++entry.occurrences;
    if (const auto* probability = std::get_if<FaultSettings::Probability>(&entry.fault->when)) {
        return unit_interval(entry.random) < probability->share;
    }
    if (const auto* every = std::get_if<FaultSettings::Every>(&entry.fault->when)) {
        return entry.occurrences % every->count == 0;
    }
    return entry.occurrences <= std::get<FaultSettings::First>(entry.fault->when).count;
}

}  // namespace weir::sim
