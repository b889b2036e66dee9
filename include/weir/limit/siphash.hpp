#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace weir::limit {

/// A 128-bit keyed hash: what a client, login or domain is called inside the tables.
///
/// The all-zero key is taken: siphash() never returns it.
struct Key {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    auto operator<=>(const Key&) const = default;
};

/// The secret that keeps senders from choosing names that collide; drawn once per process.
struct Seed {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
};

/// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein 2012).
[[nodiscard]] Key siphash(const Seed& seed, std::string_view text);

}  // namespace weir::limit
