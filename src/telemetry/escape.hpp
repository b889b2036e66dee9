#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::telemetry {

using Buffer = fmt::memory_buffer;

/// The longest value and the longest message a line takes, in bytes; what is cut off is marked by "...".
inline constexpr std::size_t longest_value = 512;
inline constexpr std::size_t longest_message = 4096;

/// A value of the text format: bare where that is unambiguous, else in double quotes.
///
/// What a terminal or a reader of lines could take for more than text is escaped: control characters (C0, DEL, C1),
/// line separators, direction overrides, and bytes that are not UTF-8 (\xff). Quotes and backslashes are escaped.
void append_value(Buffer& out, std::string_view value);

/// The same escapes, but no quotes around it: for a sentence.
void append_message(Buffer& out, std::string_view message);

/// A JSON string with its quotes (RFC 8259). Bytes that are not UTF-8 become the characters \xff.
void append_json(Buffer& out, std::string_view value, std::size_t longest = longest_value);

/// A label value: at most 128 bytes of printable UTF-8; every other byte is '?'.
[[nodiscard]] std::string label_value(std::string_view text);

}  // namespace weir::telemetry
