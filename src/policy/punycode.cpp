#include "punycode.hpp"

#include <algorithm>
#include <cstdint>

namespace weir::policy {
namespace {

// RFC 3492 5: parameter values for Punycode.
constexpr std::uint64_t base = 36;
constexpr std::uint64_t least_threshold = 1;
constexpr std::uint64_t most_threshold = 26;
constexpr std::uint64_t skew = 38;
constexpr std::uint64_t damp = 700;
constexpr std::uint64_t initial_bias = 72;
constexpr char32_t first_non_ascii = 0x80;

char digit(std::uint64_t value) {
    return static_cast<char>(value < 26 ? 'a' + value : '0' + (value - 26));
}

// RFC 3492 6.1
std::uint64_t adapt(std::uint64_t delta, std::uint64_t points, bool is_first) {
    delta /= is_first ? damp : 2;
    delta += delta / points;
    std::uint64_t k = 0;
    for (; delta > (base - least_threshold) * most_threshold / 2; k += base) delta /= base - least_threshold;
    return k + (base - least_threshold + 1) * delta / (delta + skew);
}

void append_integer(std::string& out, std::uint64_t value, std::uint64_t bias) {
    for (std::uint64_t k = base;; k += base) {
        const std::uint64_t threshold = std::clamp(k > bias ? k - bias : 0, least_threshold, most_threshold);
        if (value < threshold) break;
        out += digit(threshold + (value - threshold) % (base - threshold));
        value = (value - threshold) / (base - threshold);
    }
    out += digit(value);
}

/// How many bytes the sequence at the front of `text` should have by its first byte; 0: none begins so.
std::size_t sequence_length(unsigned char first) {
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first < 0xe0) return 2;
    if (first >= 0xe0 && first < 0xf0) return 3;
    if (first >= 0xf0 && first < 0xf5) return 4;
    return 0;
}

/// The code point at the front of `text`, `length` bytes long; 0 when it is none (RFC 3629).
char32_t decode_sequence(std::string_view text, std::size_t length) {
    constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    std::uint32_t point = static_cast<unsigned char>(text[0]) & (0x7fU >> (length == 1 ? 0 : length));
    for (std::size_t i = 1; i < length; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if ((byte & 0xc0U) != 0x80U) return 0;
        point = point << 6 | (byte & 0x3fU);
    }
    const bool is_surrogate = point >= 0xd800 && point < 0xe000;
    return point < least[length] || point > 0x10ffff || is_surrogate ? U'\0' : static_cast<char32_t>(point);
}

}  // namespace

std::string encode_punycode(std::u32string_view label) {
    std::string out;
    for (const char32_t c : label) {
        if (c < first_non_ascii) out += static_cast<char>(c);
    }
    const std::uint64_t basic = out.size();
    if (basic > 0) out += '-';

    // RFC 3492 6.3: the points above ASCII in ascending order, each as the distance from the one before.
    std::uint64_t done = basic;
    std::uint64_t bias = initial_bias;
    std::uint64_t delta = 0;
    for (char32_t current = first_non_ascii; done < label.size(); ++current, ++delta) {
        char32_t next = U'\xffffffff';
        for (const char32_t c : label) {
            if (c >= current) next = std::min(next, c);
        }
        delta += (next - current) * (done + 1);
        current = next;
        for (const char32_t c : label) {
            if (c < current) ++delta;
            if (c != current) continue;
            append_integer(out, delta, bias);
            bias = adapt(delta, done + 1, done == basic);
            delta = 0;
            ++done;
        }
    }
    return out;
}

std::u32string decode_utf8(std::string_view text) {
    std::u32string points;
    while (!text.empty()) {
        const std::size_t length = sequence_length(static_cast<unsigned char>(text[0]));
        const bool fits = length > 0 && length <= text.size();
        const char32_t point = fits ? decode_sequence(text, length) : U'\0';
        points += point != 0 ? point : U'?';
        text.remove_prefix(point != 0 ? length : 1);
    }
    return points;
}

}  // namespace weir::policy
