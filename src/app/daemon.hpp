#pragma once

#include <filesystem>

namespace weir::app {

/// `weir run --config F`: the daemon, in the foreground, until SIGTERM or SIGINT and the end of the drain.
///
/// SIGHUP reloads; a file that does not load keeps the settings as they are. Returns a sysexits(3) code.
int run(const std::filesystem::path& file);

}  // namespace weir::app
