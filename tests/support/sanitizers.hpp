#pragma once

#include <cstdlib>

namespace weir::test {

/// Whether the weir that the tests start is built with a sanitizer: scripts/test.sh says so where it has them start one
/// that is not of their own build.
inline bool is_sanitized() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return std::getenv("WEIR_IS_SANITIZED") != nullptr;
#endif
}

/// What a sanitizer's quarantine and shadow may add to resident memory that a test bounds, in bytes.
inline double sanitizers_share() {
    return is_sanitized() ? 400e6 : 0;
}

}  // namespace weir::test
