#pragma once

#include <string_view>
#include <vector>

#include "value.hpp"
#include "weir/config/keys.hpp"

namespace weir::config {

/// Deals with a key of the design that nothing acts on yet: a warning or an error, so that no operator believes that
/// it works. Returns whether the value's path is such a key.
bool read_later_key(const Value& value);

[[nodiscard]] std::vector<Key> later_keys();

}  // namespace weir::config
