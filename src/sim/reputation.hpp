#pragma once

#include <optional>
#include <string>

#include "allowance_window.hpp"
#include "distinct_window.hpp"
#include "weir/sim/settings.hpp"

namespace weir::sim {

/// What the ISP thinks of one host: three ways to lose its good name, and the block that follows.
class Reputation {
public:
    explicit Reputation(const ReputationSettings& settings, core::TimePoint epoch);

    /// Somebody knocks. While blocked this counts as one more attempt, and the time left is the answer.
    [[nodiscard]] std::optional<core::Duration> knock(core::TimePoint now);

    /// One more message is about to be taken, from `sender_domain`. False: it was one too many, and the block begins.
    [[nodiscard]] bool tolerates_message(const std::string& sender_domain, core::TimePoint now);

    /// One more recipient was named. False as above.
    [[nodiscard]] bool tolerates_recipient(bool is_unknown, core::TimePoint now);

    /// The window a message holds its place in until the dot.
    [[nodiscard]] AllowanceWindow& messages() { return messages_; }

    [[nodiscard]] bool is_blocked(core::TimePoint now) const { return now < blocked_until_; }
    [[nodiscard]] core::Duration time_left(core::TimePoint now) const { return blocked_until_ - now; }
    [[nodiscard]] std::uint64_t blocks_started() const { return blocks_started_; }
    [[nodiscard]] core::Duration time_blocked(core::TimePoint now) const;

private:
    void block(core::TimePoint now);

    const ReputationSettings& settings_;
    AllowanceWindow messages_;
    AllowanceWindow recipients_;
    AllowanceWindow unknown_;
    DistinctWindow domains_;
    core::TimePoint blocked_since_;
    core::TimePoint blocked_until_;
    core::Duration earlier_blocks_{};
    std::uint64_t blocks_started_ = 0;
};

}  // namespace weir::sim
