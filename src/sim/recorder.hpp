#pragma once

#include <filesystem>
#include <fstream>

#include "weir/core/time.hpp"
#include "weir/sim/observer.hpp"

namespace weir::sim {

/// The record of what came: JSON Lines, one object for each transaction and for each refused connection.
///
/// Errors: the constructor throws std::runtime_error when the file cannot be opened. It is appended to.
class Recorder {
public:
    Recorder(const std::filesystem::path& file, const core::Clock& clock);

    void connection_refused(const RefusedConnection& refused);
    void transaction_ended(const Transaction& transaction);

private:
    std::ofstream file_;
    const core::Clock& clock_;
};

}  // namespace weir::sim
