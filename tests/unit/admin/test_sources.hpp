#pragma once

#include "weir/admin/server.hpp"

namespace weir::admin {

inline Status test_status() {
    return {
        .version = "0.1.0",
        .mode = "enforce",
        .uptime = std::chrono::milliseconds(1500),
        .listeners = {{.address = "127.0.0.1:10025", .lane = "default"}},
        .relays = {{.relay = "[smtp.isp.example]:587",
                    .state = "normal",
                    .busy_connections = 2,
                    .idle_connections = 3,
                    .last_error = "421 4.7.0 trop de connexions \xe0 la fois\r\n"}},
        .limits = {{.name = "client", .mode = "enforce", .tracked_keys = 12, .held = 7},
                   {.name = "contract", .mode = "observe", .tracked_keys = 1, .held = 0, .remaining = 42}},
        .totals = {.relayed = 100, .held = 7, .client_sessions = 4},
        .config = {.file = "/etc/weir/weir.yaml", .last_reload = core::WallTime(std::chrono::seconds(1'795'492'800))}};
}

/// A daemon that is well.
inline Sources test_sources() {
    return {.metrics = [] { return std::string("weir_build_info{version=\"0.1.0\"} 1\n"); },
            .readiness = [] { return Readiness{.is_ready = true}; },
            .status = test_status};
}

}  // namespace weir::admin
