#include "escape.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

#include "weir/telemetry/printable.hpp"

namespace weir::telemetry {
namespace {

enum class Style : std::uint8_t { text, json };

constexpr std::size_t longest_label_value = 128;

/// What a text begins with.
struct Character {
    char32_t code = 0;
    std::size_t length = 1;
    bool is_utf8 = true;  ///< false: `length` is 1 and that byte belongs to no character
};

/// Bytes that stand for themselves in a bare value, which is nearly all of them: addresses, numbers, queue IDs.
constexpr auto bare = [] {
    std::array<bool, 256> table{};
    for (std::size_t c = 0x21; c < 0x7f; ++c) table[c] = c != '"' && c != '\\' && c != '=';
    return table;
}();

/// Bytes that stand for themselves between quotes.
constexpr auto plain = [] {
    auto table = bare;
    table[' '] = table['='] = true;
    return table;
}();

auto allowed_by(const std::array<bool, 256>& table) {
    return [&table](char c) { return table[static_cast<unsigned char>(c)]; };
}

/// RFC 3629 4: no overlong forms, no surrogates, nothing above U+10FFFF.
Character first_character(std::string_view text) {
    constexpr std::array<char32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
    const auto lead = static_cast<unsigned char>(text.front());
    if (lead < 0x80) return {.code = lead};

    constexpr Character not_utf8{.is_utf8 = false};
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return not_utf8;
    char32_t code = lead & (0x7fU >> length);
    for (const char c : text.substr(1, length - 1)) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte & 0xc0U) != 0x80) return not_utf8;
        code = (code << 6U) | (byte & 0x3fU);
    }
    if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return not_utf8;
    return {.code = code, .length = length};
}

/// U+2028 and U+2029 end a line; U+200E, U+202A to U+202E and U+2066 to U+2069 make a line read differently from
/// what it says.
bool is_printable(const Character& character) {
    const char32_t code = character.code;
    if (!character.is_utf8 || code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
    return code != 0x200e && code != 0x200f && (code < 0x2028 || code > 0x202e) && (code < 0x2066 || code > 0x2069);
}

void append(Buffer& out, std::string_view bytes) {
    out.append(bytes.data(), bytes.data() + bytes.size());
}

void append_escaped(Buffer& out, const Character& character, std::string_view bytes, Style style) {
    switch (character.code) {
        case '"':
        case '\\':
            out.push_back('\\');
            return out.push_back(static_cast<char>(character.code));
        case '\n':
            return append(out, "\\n");
        case '\r':
            return append(out, "\\r");
        case '\t':
            return append(out, "\\t");
        default:
            break;
    }
    if (is_printable(character)) return append(out, bytes);
    if (style == Style::json && character.is_utf8) {
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<std::uint32_t>(character.code));
        return;
    }
    for (const char c : bytes) {
        if (style == Style::json) out.push_back('\\');
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    }
}

void append_characters(Buffer& out, std::string_view text, std::size_t longest, Style style) {
    std::string_view rest = text.substr(0, longest);
    while (!rest.empty()) {
        const auto end = std::find_if_not(rest.begin(), rest.end(), allowed_by(plain));
        const auto run = static_cast<std::size_t>(end - rest.begin());
        append(out, rest.substr(0, run));
        rest.remove_prefix(run);
        if (rest.empty()) break;
        const Character character = first_character(rest);
        append_escaped(out, character, rest.substr(0, character.length), style);
        rest.remove_prefix(character.length);
    }
    if (text.size() > longest) append(out, "...");
}

}  // namespace

void append_value(Buffer& out, std::string_view value) {
    if (!value.empty() && value.size() <= longest_value && std::all_of(value.begin(), value.end(), allowed_by(bare))) {
        return append(out, value);
    }
    out.push_back('"');
    append_characters(out, value, longest_value, Style::text);
    out.push_back('"');
}

void append_message(Buffer& out, std::string_view message) {
    append_characters(out, message, longest_message, Style::text);
}

void append_json(Buffer& out, std::string_view value, std::size_t longest) {
    out.push_back('"');
    append_characters(out, value, longest, Style::json);
    out.push_back('"');
}

std::string printable(std::string_view text) {
    Buffer out;
    append_message(out, text);
    return fmt::to_string(out);
}

std::string label_value(std::string_view text) {
    std::string value;
    for (std::string_view rest = text; !rest.empty();) {
        const Character character = first_character(rest);
        const std::string_view bytes = is_printable(character) ? rest.substr(0, character.length) : "?";
        if (value.size() + bytes.size() > longest_label_value) break;
        value += bytes;
        rest.remove_prefix(character.length);
    }
    return value;
}

}  // namespace weir::telemetry
