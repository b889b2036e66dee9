#pragma once

#include <cstddef>

namespace weir::test {

/// How much this thread holds of what `new` gave it. Linking this replaces the global operators new and delete, so that
/// a test can see what an object keeps in memory, by the difference around each of its calls.
[[nodiscard]] std::ptrdiff_t live_bytes();

}  // namespace weir::test
