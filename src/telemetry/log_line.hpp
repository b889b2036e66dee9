#pragma once

#include <cstdint>
#include <string_view>

#include "escape.hpp"
#include "weir/telemetry/log.hpp"

namespace weir::telemetry {

/// What follows time and level: `held queue_id=... client=...`, or the members of the JSON object.
void append_transaction(Buffer& out, Format format, const TransactionRecord& record);

/// A sentence, and how many like it were suppressed before it (0: not said).
void append_event(Buffer& out, Format format, std::string_view message, std::uint64_t suppressed);

}  // namespace weir::telemetry
