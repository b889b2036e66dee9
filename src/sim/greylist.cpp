#include "greylist.hpp"

#include <algorithm>

namespace weir::sim {

std::optional<core::Duration> Greylist::wait(const std::string& triple, core::TimePoint now) {
    if (entries_.size() >= forget_at_) forget_old(now);
    const auto [found, is_new] = entries_.try_emplace(triple, Entry{now, now});
    Entry& entry = found->second;
    if (!is_new && now - entry.last >= settings_.lifetime) entry.first = now;
    entry.last = now;
    const core::Duration left = entry.first + settings_.delay - now;
    if (left <= core::Duration::zero()) return std::nullopt;
    return left;
}

void Greylist::forget_old(core::TimePoint now) {
    std::erase_if(entries_, [&](const auto& item) { return now - item.second.last >= settings_.lifetime; });
    // At twice what is left the next sweep pays for itself.
    forget_at_ = std::max<std::size_t>(1024, entries_.size() * 2);
}

}  // namespace weir::sim
