#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include "weir/sim/settings.hpp"

namespace weir::sim {

/// what(): one line per mistake, "FILE:LINE:COL: key: what is wrong, what is allowed".
class ScriptError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Reads and checks a weir-sim configuration. Throws ScriptError, with every mistake found, not only the first.
[[nodiscard]] Settings load_file(const std::filesystem::path& file);

/// The same for text already in memory; `name` stands for the file in messages.
[[nodiscard]] Settings load_text(const std::string& text, const std::string& name);

}  // namespace weir::sim
