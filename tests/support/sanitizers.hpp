#pragma once

namespace weir::test {

/// Whether the tests, and so the weir that they start, are built with AddressSanitizer or ThreadSanitizer.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif

/// What a sanitizer's quarantine and shadow may add to resident memory that a test bounds, in bytes.
inline constexpr double sanitizers_share = is_sanitized ? 400e6 : 0;

}  // namespace weir::test
