#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "weir/sim/settings.hpp"

namespace weir::sim {

/// Which triples of host, sender and recipient have waited long enough.
class Greylist {
public:
    explicit Greylist(const GreylistSettings& settings) : settings_(settings) {}

    /// Nothing when the triple may pass; otherwise how long it still has to wait.
    [[nodiscard]] std::optional<core::Duration> wait(const std::string& triple, core::TimePoint now);

private:
    struct Entry {
        core::TimePoint first;
        core::TimePoint last;
    };

    void forget_old(core::TimePoint now);

    const GreylistSettings& settings_;
    std::unordered_map<std::string, Entry> entries_;
    std::size_t forget_at_ = 1024;
};

}  // namespace weir::sim
