#include "allowance_window.hpp"

#include <algorithm>
#include <cassert>

namespace weir::sim {

using Kind = LimitSettings::Window;

AllowanceWindow::AllowanceWindow(Kind kind, const core::Quota& quota, core::TimePoint epoch)
    : kind_(kind), quota_(quota), epoch_(epoch), full_at_(epoch) {}

bool AllowanceWindow::has_room(core::TimePoint now, std::uint64_t amount) {
    if (kind_ == Kind::bucket) return full_at_ - now + cost(held_ + amount) <= cost(quota_.burst);
    return used(now) + held_ + amount <= quota_.rate.count;
}

core::Duration AllowanceWindow::wait(core::TimePoint now, std::uint64_t amount) {
    if (kind_ == Kind::bucket) {
        const core::Duration wanted = std::max(full_at_, now) - now + cost(amount);
        return std::max(wanted - cost(quota_.burst), core::Duration::zero());
    }
    std::uint64_t left = used(now) + amount;
    for (const Entry& entry : entries_) {
        if (left <= quota_.rate.count) break;
        left -= entry.amount;
        if (left <= quota_.rate.count) return entry.at + quota_.rate.per - now;
    }
    return core::Duration::zero();
}

void AllowanceWindow::give_back(std::uint64_t amount) {
    assert(amount <= held_);
    held_ -= amount;
}

void AllowanceWindow::use(core::TimePoint now, std::uint64_t amount) {
    give_back(amount);
    add(now, amount);
}

void AllowanceWindow::add(core::TimePoint now, std::uint64_t amount) {
    if (kind_ == Kind::bucket) {
        full_at_ = std::max(full_at_, now) + cost(amount);
        return;
    }
    expire(now);
    // A fixed window is one entry at its start, so that it expires as a whole.
    const core::TimePoint at = kind_ == Kind::fixed ? now - (now - epoch_) % quota_.rate.per : now;
    if (!entries_.empty() && entries_.back().at == at) {
        entries_.back().amount += amount;
    } else {
        entries_.push_back({at, amount});
    }
    sum_ += amount;
}

std::uint64_t AllowanceWindow::used(core::TimePoint now) {
    if (kind_ == Kind::bucket) {
        const core::Duration missing = std::max(full_at_, now) - now;
        const core::Duration each = cost(1);
        return static_cast<std::uint64_t>((missing + each - core::Duration(1)) / each);
    }
    expire(now);
    return sum_;
}

void AllowanceWindow::clear() {
    entries_.clear();
    sum_ = 0;
    full_at_ = epoch_;
}

core::Duration AllowanceWindow::cost(std::uint64_t amount) const {
    return quota_.rate.per / static_cast<core::Duration::rep>(quota_.rate.count) *
           static_cast<core::Duration::rep>(amount);
}

void AllowanceWindow::expire(core::TimePoint now) {
    while (!entries_.empty() && now - entries_.front().at >= quota_.rate.per) {
        sum_ -= entries_.front().amount;
        entries_.pop_front();
    }
}

}  // namespace weir::sim
