#pragma once

#include <filesystem>

namespace weir::app {

/// `weir classify [--config F] [--json]`: relay replies on standard input, what each is taken for on standard output,
/// one line a reply, in order.
///
/// Input: raw SMTP lines, or JSON Lines with `code`, `esc`, `text` and `stage` (or `wire`, a list of lines), told apart
/// by the first byte. A line that is neither is named on standard error, and the rest goes on. Returns a sysexits(3)
/// code: 65 (EX_DATAERR) when there were such lines, 78 for a configuration that does not load.
int classify(const std::filesystem::path& config, bool json);

}  // namespace weir::app
