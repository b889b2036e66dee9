#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <future>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "connection_budget.hpp"
#include "upstream_pool.hpp"
#include "weir/net/listener.hpp"
#include "weir/policy/engine.hpp"
#include "weir/proxy/proxy.hpp"
#include "weir/proxy/relay_directory.hpp"

namespace weir::proxy {

class SessionDriver;

/// What all workers share.
struct Shared {
    Parts parts;
    RelayDirectory relays;
    ConnectionBudget budget;
    std::atomic<std::uint64_t> last_session{0};
    std::atomic<std::size_t> open_sessions{0};  ///< accepted connections, also of clients that are turned away
    std::atomic<bool> warned_of_missing_xforward{false};
};

/// One thread's share of the work: its loop, its listeners, its sessions and its pool of relay connections.
///
/// Threads: run() belongs to the worker's own thread; the other public functions may be called from any thread and
///          take effect on it.
class Worker {
public:
    Worker(Shared& shared, std::shared_ptr<const Settings> settings);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Listens where it did not yet and stops where it should no longer. The future tells what did not work, one
    /// sentence each, once all that works is listening.
    std::future<std::vector<std::string>> set_listeners(std::vector<ListenSpec> specs);

    void run();

    /// See Proxy::soon_on_this_worker().
    static bool soon_here(std::function<void()> what);

    void apply(std::shared_ptr<const Settings> settings);
    void drain(core::Duration grace);

    /// Asks every relay that has not been heard yet what it offers, again and again until one has answered.
    void learn_extensions();

    // For the sessions, on the worker's thread.
    [[nodiscard]] Shared& shared() { return shared_; }
    [[nodiscard]] UpstreamPool& pool() { return pool_; }
    [[nodiscard]] const std::shared_ptr<const Settings>& settings() const { return settings_; }

private:
    struct Listening {
        std::shared_ptr<ListenSpec> spec;  ///< its lane and TLS may change while the socket stays
        net::Listener listener;
    };

    void on_socket(boost::asio::ip::tcp::socket socket, const core::IpAddress& peer, const ListenSpec& at);
    class OpenSession;
    [[nodiscard]] bool may_accept();
    net::Task<> serve(boost::asio::ip::tcp::socket socket, core::IpAddress peer, std::string lane,
                      std::shared_ptr<const net::TlsServer> tls, std::unique_ptr<OpenSession> place);
    void turn_away(net::Connection connection, const core::IpAddress& peer);
    net::Task<> learn();
    std::vector<std::string> update_listeners(std::vector<ListenSpec> specs);
    void begin_drain(core::Duration grace);
    void leave_when_done();

    Shared& shared_;
    std::shared_ptr<const Settings> settings_;
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
    boost::asio::steady_timer grace_;
    boost::asio::steady_timer learn_again_;
    boost::asio::steady_timer soon_;
    UpstreamPool pool_;
    std::vector<Listening> listening_;
    std::list<SessionDriver*> sessions_;
    bool draining_ = false;
    bool learning_ = false;
};

}  // namespace weir::proxy
