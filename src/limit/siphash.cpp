#include "weir/limit/siphash.hpp"

#include <bit>
#include <cstring>

namespace weir::limit {
namespace {

static_assert(std::endian::native == std::endian::little, "read_word() reads words as they lie in memory");

struct State {
    std::uint64_t v0, v1, v2, v3;

    void round() {
        v0 += v1, v2 += v3;
        v1 = std::rotl(v1, 13) ^ v0, v3 = std::rotl(v3, 16) ^ v2;
        v0 = std::rotl(v0, 32);
        v2 += v1, v0 += v3;
        v1 = std::rotl(v1, 17) ^ v2, v3 = std::rotl(v3, 21) ^ v0;
        v2 = std::rotl(v2, 32);
    }

    void absorb(std::uint64_t word) {
        v3 ^= word;
        round(), round();
        v0 ^= word;
    }

    std::uint64_t squeeze() {
        round(), round(), round(), round();
        return v0 ^ v1 ^ v2 ^ v3;
    }
};

std::uint64_t read_word(const char* bytes, std::size_t count) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, count);
    return word;
}

}  // namespace

Key siphash(const Seed& seed, std::string_view text) {
    State state{.v0 = seed.low ^ 0x736f6d6570736575,
                .v1 = seed.high ^ 0x646f72616e646f6d ^ 0xee,  // 0xee, 0xdd: the variant with 128 bits of output
                .v2 = seed.low ^ 0x6c7967656e657261,
                .v3 = seed.high ^ 0x7465646279746573};
    const std::size_t whole = text.size() & ~std::size_t{7};
    for (std::size_t i = 0; i < whole; i += 8) state.absorb(read_word(text.data() + i, 8));
    state.absorb(read_word(text.data() + whole, text.size() - whole) | std::uint64_t{text.size()} << 56);

    state.v2 ^= 0xee;
    Key key{.low = state.squeeze()};
    state.v1 ^= 0xdd;
    key.high = state.squeeze();
    if (key == Key{}) key.low = 1;
    return key;
}

}  // namespace weir::limit
