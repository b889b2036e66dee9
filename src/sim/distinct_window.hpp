#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

#include "weir/core/time.hpp"

namespace weir::sim {

/// How many different names were seen within a sliding window.
class DistinctWindow {
public:
    explicit DistinctWindow(core::Duration within) : within_(within) {}

    void see(const std::string& name, core::TimePoint now) {
        last_seen_[name] = now;
        sightings_.emplace_back(now, name);
    }

    [[nodiscard]] std::size_t count(core::TimePoint now) {
        while (!sightings_.empty() && now - sightings_.front().first >= within_) {
            const auto known = last_seen_.find(sightings_.front().second);
            // A later sighting keeps the name; its own entry will take it out.
            if (known != last_seen_.end() && known->second == sightings_.front().first) last_seen_.erase(known);
            sightings_.pop_front();
        }
        return last_seen_.size();
    }

    void clear() {
        last_seen_.clear();
        sightings_.clear();
    }

private:
    core::Duration within_;
    std::unordered_map<std::string, core::TimePoint> last_seen_;
    std::deque<std::pair<core::TimePoint, std::string>> sightings_;
};

}  // namespace weir::sim
