#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "connection_budget.hpp"
#include "relay_connection.hpp"
#include "weir/core/time.hpp"
#include "weir/net/connector.hpp"
#include "weir/net/resolver.hpp"
#include "weir/net/task.hpp"
#include "weir/proxy/relay_directory.hpp"
#include "weir/proxy/settings.hpp"
#include "weir/telemetry/log.hpp"
#include "weir/telemetry/metrics.hpp"

namespace weir::proxy {

/// Warm SMTP connections to the relays, one pool per worker; `ConnectionBudget` bounds them over all workers.
///
/// New work goes to the relay that the directory prefers. When one that is preferred can be used again, connections to
/// others end with the message that they carry, and idle ones at once or when their turn comes.
///
/// Owns:    the idle connections. A Lease owns the one it carries.
/// Errors:  acquire(): Errc::pool_saturated when no turn came before the deadline, Errc::relay_unreachable when no
///          relay could be connected to (RelayDirectory::last_trouble() says why).
/// Threads: one worker's, but for ask_to_shed().
class UpstreamPool {
public:
    /// A connection for one transaction. Destroying it closes the connection; give_back() keeps it.
    class Lease {
    public:
        Lease(UpstreamPool& pool, RelayConnection connection, bool reused);
        Lease(Lease&& other) noexcept;
        Lease& operator=(Lease&& other) noexcept;
        ~Lease();

        [[nodiscard]] RelayConnection& connection() { return *connection_; }

        /// It has carried messages, or has waited, before: it may turn out to be dead.
        [[nodiscard]] bool is_reused() const { return reused_; }

        /// The transaction is over and the connection in order.
        void give_back();

    private:
        void drop();

        UpstreamPool* pool_;
        std::optional<RelayConnection> connection_;
        bool reused_;
    };

    UpstreamPool(boost::asio::any_io_executor executor, std::shared_ptr<const Settings> settings,
                 RelayDirectory& relays, ConnectionBudget& budget, const core::Clock& clock,
                 telemetry::Metrics& metrics, telemetry::Log& log);
    ~UpstreamPool();
    UpstreamPool(const UpstreamPool&) = delete;
    UpstreamPool& operator=(const UpstreamPool&) = delete;

    /// An idle connection that is still good, if there is one.
    [[nodiscard]] std::optional<Lease> try_acquire_idle();

    /// A connection, idle, handed on or new. `fresh` asks for a new one, because an idle one has just failed.
    /// However long that takes, it is over at `deadline`, for Postfix waits for the answer.
    net::Task<core::Result<Lease>> acquire(bool fresh, core::TimePoint deadline);

    /// Connects to this relay, which tells the directory how it went; if it went well the connection is kept.
    void ask(RelayAddress relay);

    /// The 451 for an error of acquire(), with what the relay or the system said.
    [[nodiscard]] smtp::Reply refusal_for(const core::Error& error) const;

    void set_settings(std::shared_ptr<const Settings> settings);

    /// Closes all idle connections, and from now on every other as soon as it is given back: the worker stops.
    void close_idle();

    /// Whoever is about to connect to a relay hears that it did not work: the worker is to stop soon.
    void stop_connecting();

    /// The relay said 421 to a command of a transaction.
    void on_farewell(const RelayAddress& relay) { relays_.on_farewell(relay, clock_.now()); }

    /// Another worker waits for a connection: one idle connection is closed for it. From any thread.
    void ask_to_shed();

    [[nodiscard]] const boost::asio::any_io_executor& executor() const { return executor_; }

private:
    net::Task<core::Error> wait_for_turn(std::optional<RelayConnection>& handed, core::TimePoint deadline);
    net::Task<core::Result<Lease>> connect(core::TimePoint deadline);
    [[nodiscard]] core::TimePoint connect_deadline() const;
    net::Task<core::Result<RelayConnection>> connect_to(RelayAddress relay, core::TimePoint deadline);
    net::Task<core::Result<RelayConnection>> open(RelayAddress relay, std::shared_ptr<const Settings> settings,
                                                  std::shared_ptr<const net::TlsClient> tls, core::TimePoint deadline,
                                                  std::string& why);
    net::Task<core::Error> shake_hands(RelayConnection& connection, const RelayConnection::Tls& tls,
                                       core::Duration timeout, core::TimePoint deadline);
    void on_connected(const RelayConnection& connection);
    void count_refusal(const RelayConnection& connection, const core::Error& error);
    net::Task<> ask_and_keep(RelayAddress relay);
    void probe_if_due();
    net::Task<> quit_and_release(RelayConnection connection);
    [[nodiscard]] bool is_as_configured(const RelayConnection& connection) const;
    void keep_or_close(RelayConnection connection);
    void retire(RelayConnection connection);
    void retire_oldest();
    void retire_less_preferred();
    void shed_one();
    void reap_later();
    void count(const RelayAddress& relay, int busy, int idle);

    boost::asio::any_io_executor executor_;
    std::shared_ptr<const Settings> settings_;
    RelayDirectory& relays_;
    ConnectionBudget& budget_;
    const core::Clock& clock_;
    telemetry::Metrics& metrics_;
    telemetry::Log& log_;
    net::Resolver resolver_;
    net::Connector connector_;
    std::list<RelayConnection*> greeting_;  ///< those whose handshake goes on
    std::vector<RelayConnection> idle_;
    std::atomic<std::size_t> idle_count_{0};
    boost::asio::steady_timer reaper_;
    std::list<boost::asio::steady_timer*> waiting_;  ///< of those who wait for their turn
    bool reaping_ = false;
    bool closing_ = false;
};

}  // namespace weir::proxy
