#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "weir/core/time.hpp"

namespace weir::admin {

/// Whether mail can be taken, and if not, why.
struct Readiness {
    bool is_ready = false;
    std::string reason{};  ///< one line, for people; empty when ready
};

/// What /api/v1/status tells, in plain values: this room knows neither the proxy nor the policy.
struct Status {
    struct Listener {
        std::string address{};  ///< "127.0.0.1:10025"
        std::string lane{};
    };
    struct Relay {
        std::string relay{};  ///< as configured
        std::string state{};
        std::uint64_t busy_connections = 0;
        std::uint64_t idle_connections = 0;
        std::string last_error{};  ///< may hold what the relay said, as it said it; empty: none
    };
    struct Limit {
        std::string name{};
        std::string mode{};
        std::uint64_t tracked_keys = 0;
        std::uint64_t held = 0;
        std::optional<std::uint64_t> remaining{};
    };
    struct Totals {
        std::uint64_t relayed = 0;
        std::uint64_t held = 0;
        std::uint64_t relay_tempfail = 0;
        std::uint64_t relay_reject = 0;
        std::uint64_t aborted = 0;
        std::int64_t client_sessions = 0;
        std::int64_t relay_sessions = 0;
    };
    struct Config {
        std::string file{};
        bool last_reload_successful = true;
        std::optional<core::WallTime> last_reload{};  ///< start counts as one
        std::string error{};                          ///< of the last reload; empty when it was successful
    };

    std::string version{};
    std::string mode{};  ///< "enforce" or "observe"
    core::Duration uptime{};
    std::vector<Listener> listeners{};
    std::vector<Relay> relays{};
    std::vector<Limit> limits{};
    Totals totals{};
    Config config{};
};

}  // namespace weir::admin
