#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "weir/limit/gcra.hpp"

namespace weir::limit {

/// What was seen lately, by a 64-bit identity: a direct-mapped cache, in which a newer sighting pushes out an older
/// one that shares its place.
///
/// Memory:  24 bytes a place, and only those pages that have been used are resident.
/// Threads: not synchronised; one owner.
class Recent {
public:
    struct Sighting {
        std::uint64_t id = 0;  ///< 0: nothing here
        Tick at = 0;
        std::uint32_t size = 0;
    };

    /// `places` is a power of two.
    explicit Recent(std::size_t places);

    /// The place for `id`; what is there now may belong to another identity.
    [[nodiscard]] Sighting& place(std::uint64_t id) { return places_[id & mask_]; }

private:
    struct Free {
        void operator()(Sighting* places) const { std::free(places); }
    };

    std::unique_ptr<Sighting[], Free> places_;
    std::size_t mask_;
};

}  // namespace weir::limit
