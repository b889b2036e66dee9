#pragma once

#include <cstddef>
#include <string_view>

namespace weir::config {

/// Largest configuration that is read at all.
inline constexpr std::size_t max_file_size = 1U << 20U;

/// Throws SyntaxError at the first byte that is not part of UTF-8 text, or is a control character other than tab and
/// line ends.
void check_is_text(std::string_view text);

}  // namespace weir::config
