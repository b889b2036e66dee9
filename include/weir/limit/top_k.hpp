#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::limit {

/// Who comes most often, in fixed memory: Space-Saving (Metwally, Agrawal and El Abbadi 2005).
///
/// Whoever makes up more than 1/64 of all is among the counters; a count is never too low and at most
/// total/64 too high.
///
/// Threads: not synchronised; one owner.
class TopK {
public:
    static constexpr std::size_t counters = 64;
    static constexpr std::size_t longest_name = 64;

    struct Entry {
        std::string name;
        std::uint64_t count = 0;
    };

    /// Counts one for `id`. `name()` is asked only when a counter changes hands; beyond 64 characters it is cut.
    template <class Name>
    void add(std::uint64_t id, Name&& name) {
        const auto last = ids_.begin() + static_cast<std::ptrdiff_t>(used_);
        const auto known = std::find(ids_.begin(), last, id);
        const auto slot = static_cast<std::size_t>(known - ids_.begin());
        if (known != last) {
            ++counts_[slot];
        } else {
            take_over(id, name());
        }
    }

    /// The `most` largest, largest first.
    [[nodiscard]] std::vector<Entry> top(std::size_t most) const;

private:
    void take_over(std::uint64_t id, std::string_view name);

    // Apart, so that the search runs over 512 bytes.
    std::array<std::uint64_t, counters> ids_{};
    std::array<std::uint64_t, counters> counts_{};
    std::array<std::string, counters> names_;
    std::size_t used_ = 0;
};

}  // namespace weir::limit
