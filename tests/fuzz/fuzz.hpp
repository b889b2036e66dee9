#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "support/promise.hpp"

/// What libFuzzer calls with each input, and run_files.cpp with each file. A broken promise escapes, and so ends the
/// program.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace weir::fuzz {

using test::promise;

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// The bytes of an input that decide something. When they run out every choice is 0, which is the usual case, so that a
/// plain text is a good input.
class Choices {
public:
    explicit Choices(std::string_view bytes) : bytes_(bytes) {}

    std::uint8_t next() {
        if (bytes_.empty()) return 0;
        const char first = bytes_.front();
        bytes_.remove_prefix(1);
        return static_cast<std::uint8_t>(first);
    }

private:
    std::string_view bytes_;
};

/// An input that is text, the byte 0xfe (the last of them), and choices. Neither moves when the other grows.
struct TextAndChoices {
    std::string_view text;
    Choices choices;

    static TextAndChoices split(std::string_view input) {
        const auto at = std::min(input.rfind('\xfe'), input.size());
        return {.text = input.substr(0, at), .choices = Choices(input.substr(std::min(at + 1, input.size())))};
    }
};

/// Hands `bytes` to `feed` in pieces: whole (0), byte by byte (1), or of sizes that follow from `seed`.
template <class Feed>
void in_pieces(std::string_view bytes, std::uint32_t seed, Feed feed) {
    std::uint32_t state = seed;
    while (!bytes.empty()) {
        state = state * 1664525 + 1013904223;  // Numerical Recipes' generator
        const std::size_t size = seed == 0 ? bytes.size() : seed == 1 ? 1 : 1 + (state >> 16U) % 97;
        feed(bytes.substr(0, size));
        bytes.remove_prefix(std::min(size, bytes.size()));
    }
}

}  // namespace weir::fuzz
