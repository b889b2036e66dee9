#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "weir/sim/settings.hpp"

namespace weir::sim {

/// Decides which faults strike, the same ones for the same seed and the same order of events.
class FaultPlan {
public:
    FaultPlan(const std::vector<FaultSettings>& faults, std::uint64_t seed);

    /// The first fault of the list that strikes at this occurrence of `stage`, or none.
    /// Every fault of the stage counts the occurrence, whether an earlier one strikes or not.
    [[nodiscard]] const FaultSettings* strike(Stage stage);

private:
    struct Entry {
        const FaultSettings* fault;
        std::uint64_t occurrences;
        std::mt19937_64 random;  ///< its own, so that adding one fault does not change the others
    };

    [[nodiscard]] static bool strikes(Entry& entry);

    std::vector<Entry> entries_;
};

}  // namespace weir::sim
