#include "weir/limit/recent.hpp"

#include <cassert>
#include <new>
#include <type_traits>

namespace weir::limit {

static_assert(std::is_trivially_copyable_v<Recent::Sighting>, "zeroed memory must be a valid, empty place");

Recent::Recent(std::size_t places)
    // calloc, because the kernel's untouched pages are zero already and need not be written to.
    : places_(static_cast<Sighting*>(std::calloc(places, sizeof(Sighting)))), mask_(places - 1) {
    assert((places & mask_) == 0);
    if (!places_) throw std::bad_alloc();
}

}  // namespace weir::limit
