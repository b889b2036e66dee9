#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "weir/core/time.hpp"

namespace weir::telemetry {

/// Lets one event of a kind through per second and counts the others.
///
/// Keeps at most 64 kinds apart; all further ones share one second.
/// Threads: not synchronised; one owner.
class RepeatFilter {
public:
    /// How many of this kind were suppressed since the last one that passed, or nothing: suppress this one.
    [[nodiscard]] std::optional<std::uint64_t> try_pass(std::string_view kind, core::TimePoint now);

private:
    struct Kind {
        core::TimePoint last;
        std::uint64_t suppressed = 0;
    };
    std::map<std::string, Kind, std::less<>> kinds_;
};

}  // namespace weir::telemetry
