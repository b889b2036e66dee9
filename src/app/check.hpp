#pragma once

#include <filesystem>

namespace weir::app {

/// `weir check --config F`: prints what is wrong, or what is risky. Returns a sysexits(3) code.
int check(const std::filesystem::path& file, bool json);

}  // namespace weir::app
