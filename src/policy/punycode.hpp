#pragma once

#include <string>
#include <string_view>

namespace weir::policy {

/// RFC 3492: a label of any characters as the ASCII that follows "xn--".
[[nodiscard]] std::string encode_punycode(std::u32string_view label);

/// UTF-8 as code points; bytes that are not UTF-8 become '?', one each.
[[nodiscard]] std::u32string decode_utf8(std::string_view text);

}  // namespace weir::policy
