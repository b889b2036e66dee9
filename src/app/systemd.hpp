#pragma once

#include <string_view>
#include <vector>

#include "weir/core/ip.hpp"

namespace weir::app {

/// A listening TCP socket that the service manager opened for us and keeps open while we restart.
struct InheritedSocket {
    int descriptor = -1;
    core::IpAddress address;
    std::uint16_t port = 0;
};

/// The sockets of socket activation, see sd_listen_fds(3): LISTEN_PID must be this process. The variables are
/// removed from the environment. Descriptors that are not listening TCP sockets are left alone.
[[nodiscard]] std::vector<InheritedSocket> take_inherited_sockets();

/// Tells the service manager, see sd_notify(3): "READY=1", "RELOADING=1", "STOPPING=1". Does nothing without one.
void notify(std::string_view state);

}  // namespace weir::app
