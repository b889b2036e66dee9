#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace weir::config {

/// The candidate that `word` is most likely a misspelling of: at most a third of its letters added, lost, changed or
/// swapped with their neighbour.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view word,
                                                      std::span<const std::string_view> candidates);

}  // namespace weir::config
