#include "reputation.hpp"

#include <algorithm>
#include <limits>

namespace weir::sim {
namespace {

// The windows only count here; what is too much is for this file to say.
AllowanceWindow counting_window(core::Duration within, core::TimePoint epoch) {
    const core::Quota endless{.rate = {.count = std::numeric_limits<std::uint64_t>::max(), .per = within}, .burst = 0};
    return {LimitSettings::Window::sliding, endless, epoch};
}

}  // namespace

Reputation::Reputation(const ReputationSettings& settings, core::TimePoint epoch)
    : settings_(settings),
      messages_(counting_window(settings.within, epoch)),
      recipients_(counting_window(settings.within, epoch)),
      unknown_(counting_window(settings.within, epoch)),
      domains_(settings.within),
      blocked_since_(epoch),
      blocked_until_(epoch) {}

std::optional<core::Duration> Reputation::knock(core::TimePoint now) {
    if (!is_blocked(now)) return std::nullopt;
    // In floating seconds: a factor of 2 per attempt would overflow any integer within one burst of knocking.
    using Seconds = std::chrono::duration<double>;
    const Seconds wanted = Seconds(blocked_until_ - blocked_since_) * settings_.lengthen_factor + settings_.lengthen_by;
    const Seconds allowed = std::min(wanted, Seconds(settings_.max_block));
    blocked_until_ = std::max(blocked_until_, blocked_since_ + std::chrono::duration_cast<core::Duration>(allowed));
    return blocked_until_ - now;
}

bool Reputation::tolerates_message(const std::string& sender_domain, core::TimePoint now) {
    if (settings_.sender_domains) domains_.see(sender_domain, now);
    const bool too_many_domains = settings_.sender_domains && domains_.count(now) > *settings_.sender_domains;
    const bool too_many_messages =
        settings_.messages && messages_.used(now) + messages_.held() + 1 > *settings_.messages;
    if (too_many_domains || too_many_messages) block(now);
    return !too_many_domains && !too_many_messages;
}

bool Reputation::tolerates_recipient(bool is_unknown, core::TimePoint now) {
    if (!settings_.unknown_users) return true;
    recipients_.add(now, 1);
    if (is_unknown) unknown_.add(now, 1);
    const auto all = recipients_.used(now);
    const double share = static_cast<double>(unknown_.used(now)) / static_cast<double>(all);
    if (all < settings_.min_recipients || share <= *settings_.unknown_users) return true;
    block(now);
    return false;
}

core::Duration Reputation::time_blocked(core::TimePoint now) const {
    return earlier_blocks_ + (std::min(now, blocked_until_) - blocked_since_);
}

void Reputation::block(core::TimePoint now) {
    if (is_blocked(now)) return;
    earlier_blocks_ += blocked_until_ - blocked_since_;
    blocked_since_ = now;
    blocked_until_ = now + settings_.block;
    ++blocks_started_;
    // A block that has been served is a clean slate, else the first message after it would start the next one.
    messages_.clear();
    recipients_.clear();
    unknown_.clear();
    domains_.clear();
}

}  // namespace weir::sim
