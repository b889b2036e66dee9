#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::config {

/// One key of the configuration, by its path: "upstream.relays", "limits[].match.client".
struct Key {
    enum class State : std::uint8_t {
        works,
        no_effect,  ///< accepted with a warning; a later version acts on it
        refused,    ///< an error: to run without what it asks for would not be safe
    };

    std::string path;
    State state = State::works;

    bool operator==(const Key&) const = default;
};

/// Every key that the parser knows, from the tables that it reads by.
[[nodiscard]] std::vector<Key> known_keys();

}  // namespace weir::config
