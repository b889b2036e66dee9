#include "repeat_filter.hpp"

#include <utility>

namespace weir::telemetry {
namespace {

constexpr std::size_t most_kinds = 64;
constexpr std::chrono::seconds interval{1};

}  // namespace

std::optional<std::uint64_t> RepeatFilter::try_pass(std::string_view kind, core::TimePoint now) {
    auto found = kinds_.find(kind);
    if (found == kinds_.end()) {
        if (kinds_.size() >= most_kinds) kind = "";
        const auto [entry, is_new] = kinds_.try_emplace(std::string(kind), Kind{.last = now});
        if (is_new) return 0;
        found = entry;
    }
    Kind& state = found->second;
    if (now - state.last < interval) {
        ++state.suppressed;
        return std::nullopt;
    }
    state.last = now;
    return std::exchange(state.suppressed, 0);
}

}  // namespace weir::telemetry
