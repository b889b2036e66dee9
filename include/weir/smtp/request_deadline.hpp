#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "weir/core/time.hpp"

namespace weir::smtp {

/// How long a client may still take over the request under way: a command line, or a body.
///
/// A timeout for each read would never end for a client that sends a byte now and then. So a command has one time for
/// all of it; a body has one too, and every byte of it buys a little more, so that the size of a message does not
/// matter while its rate does (Postfix: smtpd_per_request_deadline, smtpd_min_data_rate).
///
/// Time: only what was spent waiting for the client counts, as told by spent(). While nobody reads, because the relay
///       is slow, a client cannot send, and must not be blamed.
class RequestDeadline {
public:
    void begin_command(core::Duration limit) { begin(limit, 0); }

    /// `bytes_per_second`: 0 lets a body come as slowly as it likes, as long as it is never silent for `limit`.
    void begin_body(core::Duration limit, std::uint64_t bytes_per_second) {
        begin(limit, bytes_per_second);
        has_rate_ = bytes_per_second > 0;
        is_body_ = true;
    }

    /// The client was waited for, and sent `bytes` at last.
    void spent(core::Duration waited, std::size_t bytes) {
        if (is_body_ && !has_rate_) return;
        left_ = std::max(left_ - waited, core::Duration::zero());
        if (is_body_) left_ = std::min(limit_, left_ + price_of_a_byte_ * static_cast<std::int64_t>(bytes));
    }

    [[nodiscard]] core::Duration left() const { return left_; }

private:
    void begin(core::Duration limit, std::uint64_t bytes_per_second) {
        limit_ = left_ = limit;
        is_body_ = has_rate_ = false;
        if (bytes_per_second > 0) {
            price_of_a_byte_ = core::Duration(std::chrono::seconds(1)) / static_cast<std::int64_t>(bytes_per_second);
        }
    }

    core::Duration limit_{};
    core::Duration left_{};
    core::Duration price_of_a_byte_{};
    bool is_body_ = false;
    bool has_rate_ = false;
};

}  // namespace weir::smtp
