#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "weir/core/ip.hpp"
#include "weir/core/result.hpp"
#include "weir/core/time.hpp"
#include "weir/policy/engine.hpp"
#include "weir/proxy/relay_directory.hpp"
#include "weir/proxy/settings.hpp"
#include "weir/telemetry/log.hpp"
#include "weir/telemetry/metrics.hpp"

namespace weir::net {
class TlsServer;
}

namespace weir::proxy {

/// What the sessions work with; all of it outlives the proxy.
struct Parts {
    policy::Engine& engine;
    telemetry::Metrics& metrics;
    telemetry::Log& log;
    const core::Clock& clock;
};

/// Where to listen, for which lane.
struct ListenSpec {
    core::IpAddress address;
    std::uint16_t port = 0;
    std::string lane;
    int inherited = -1;  ///< a listening descriptor from socket activation, not owned; -1: bind one
    std::shared_ptr<const net::TlsServer> tls{};  ///< what STARTTLS is answered with; null: it is not offered

    /// Whether both are the same socket, whatever is done with its connections.
    [[nodiscard]] bool is_same_socket(const ListenSpec& other) const {
        return address == other.address && port == other.port && inherited == other.inherited;
    }
};

/// The SMTP side of the daemon: worker threads, their listeners and sessions, and the connections to the relays.
///
/// Every worker listens on every address (SO_REUSEPORT); a session never changes its thread.
///
/// Threads: all functions may be called from any thread, one at a time.
class Proxy {
public:
    Proxy(Parts parts, Settings settings, unsigned workers);
    ~Proxy();
    Proxy(const Proxy&) = delete;
    Proxy& operator=(const Proxy&) = delete;

    /// Starts the workers' threads and begins to learn what the relays offer. When it returns, all that works is
    /// listening; what does not is told, one sentence each.
    [[nodiscard]] std::vector<std::string> start(const std::vector<ListenSpec>& specs);

    /// Sessions and relay connections go on; new sessions go by the new settings. Returns as start() does.
    [[nodiscard]] std::vector<std::string> reload(Settings settings, const std::vector<ListenSpec>& specs);

    /// Stops listening, lets every message end, and stops the workers. Sessions that are not done after `grace` are
    /// ended, but for those that wait for the relay's reply to a final dot.
    void drain(core::Duration grace);

    /// On a worker's thread: has `what` done a few milliseconds later, without waking another thread. One such request
    /// at a time; the last worker to stop carries out what is due. Returns false, and does nothing, on other threads.
    static bool soon_on_this_worker(std::function<void()> what);

    /// Returns when all workers have stopped, which they do after drain().
    void wait();

    [[nodiscard]] std::vector<RelayDirectory::Status> relays() const;
    [[nodiscard]] bool is_relay_known() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::proxy
