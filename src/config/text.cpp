#include "text.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "document.hpp"

namespace weir::config {
namespace {

unsigned byte_at(std::string_view text, std::size_t index) {
    return index < text.size() ? static_cast<unsigned char>(text[index]) : 0;
}

bool is_allowed_control(unsigned byte) {
    return byte == '\t' || byte == '\n' || byte == '\r';
}

/// Bytes of the well-formed UTF-8 sequence at `index` (Unicode 15, table 3-7), 0 if there is none.
std::size_t sequence_length(std::string_view text, std::size_t index) {
    const unsigned lead = byte_at(text, index);
    if (lead < 0x80) return 1;
    const unsigned second = byte_at(text, index + 1);
    std::size_t length = 0;
    unsigned low = 0x80;
    unsigned high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) length = 2;
    if (lead >= 0xe0 && lead <= 0xef) length = 3;
    if (lead >= 0xf0 && lead <= 0xf4) length = 4;
    if (lead == 0xe0) low = 0xa0;   // overlong below
    if (lead == 0xed) high = 0x9f;  // surrogates above
    if (lead == 0xf0) low = 0x90;   // overlong below
    if (lead == 0xf4) high = 0x8f;  // beyond U+10FFFF above
    if (length == 0 || second < low || second > high) return 0;
    for (std::size_t i = 2; i < length; ++i) {
        if ((byte_at(text, index + i) & 0xc0U) != 0x80) return 0;
    }
    return length;
}

Position position_of(std::string_view text, std::size_t index) {
    const std::string_view before = text.substr(0, index);
    const auto line_start = before.rfind('\n') + 1;  // npos + 1 is 0: the first line
    return {.line = static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
            .column = static_cast<int>(index - line_start) + 1};
}

std::string hex(unsigned byte) {
    constexpr std::string_view digits = "0123456789abcdef";
    return {'0', 'x', digits[byte >> 4U], digits[byte & 0x0fU]};
}

}  // namespace

void check_is_text(std::string_view text) {
    if (text.size() > max_file_size) {
        throw SyntaxError(
            {}, "the file is larger than " + std::to_string(max_file_size) + " bytes; is this a configuration?");
    }
    for (std::size_t index = 0; index < text.size();) {
        const unsigned byte = byte_at(text, index);
        const std::size_t length = sequence_length(text, index);
        if (length == 0) throw SyntaxError(position_of(text, index), "byte " + hex(byte) + " is not UTF-8 text");
        if ((byte < 0x20 && !is_allowed_control(byte)) || byte == 0x7f) {
            throw SyntaxError(position_of(text, index), "byte " + hex(byte) + " is a control character, not text");
        }
        index += length;
    }
}

}  // namespace weir::config
