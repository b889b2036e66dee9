#include "weir/limit/top_k.hpp"

#include <numeric>

namespace weir::limit {

void TopK::take_over(std::uint64_t id, std::string_view name) {
    std::size_t slot = used_;
    if (used_ < counters) {
        ++used_;
    } else {
        slot = static_cast<std::size_t>(std::min_element(counts_.begin(), counts_.end()) - counts_.begin());
    }
    ids_[slot] = id;
    names_[slot] = name.substr(0, longest_name);
    ++counts_[slot];  // the newcomer inherits the count: it may have been here before
}

std::vector<TopK::Entry> TopK::top(std::size_t most) const {
    std::vector<std::size_t> order(used_);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [this](auto a, auto b) { return counts_[a] > counts_[b]; });
    std::vector<Entry> entries;
    for (std::size_t i = 0; i < std::min(most, used_); ++i) {
        entries.push_back({.name = names_[order[i]], .count = counts_[order[i]]});
    }
    return entries;
}

}  // namespace weir::limit
