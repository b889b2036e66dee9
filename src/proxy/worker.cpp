#include "worker.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>

#include "session_driver.hpp"
#include "weir/net/endpoint.hpp"

namespace weir::proxy {

namespace asio = boost::asio;
using asio::ip::tcp;
using core::Error;
using telemetry::Level;

/// A place among the sessions, from the moment of accepting on: the next accept must see it taken.
class Worker::OpenSession {
public:
    explicit OpenSession(Shared& shared) : shared_(shared) {
        ++shared_.open_sessions;
        shared_.parts.metrics.session_opened(telemetry::Side::client);
    }
    ~OpenSession() {
        --shared_.open_sessions;
        shared_.parts.metrics.session_closed(telemetry::Side::client);
    }
    OpenSession(const OpenSession&) = delete;
    OpenSession& operator=(const OpenSession&) = delete;

private:
    Shared& shared_;
};

namespace {

bool is_trusted(const Settings& settings, const core::IpAddress& address) {
    const auto& trusted = settings.trusted_clients;
    return std::any_of(trusted.begin(), trusted.end(),
                       [&](const core::Cidr& network) { return network.contains(address); });
}

}  // namespace

Worker::Worker(Shared& shared, std::shared_ptr<const Settings> settings)
    : shared_(shared),
      settings_(std::move(settings)),
      guard_(context_.get_executor()),
      grace_(context_),
      learn_again_(context_),
      soon_(context_),
      pool_(context_.get_executor(), settings_, shared_.relays, shared_.budget, shared_.parts.clock,
            shared_.parts.metrics, shared_.parts.log) {}

Worker::~Worker() = default;

namespace {

/// The worker that this thread is, if it is one.
thread_local Worker* this_worker = nullptr;

}  // namespace

void Worker::run() {
    this_worker = this;
    context_.run();
    this_worker = nullptr;
}

bool Worker::soon_here(std::function<void()> what) {
    constexpr core::Duration soon = std::chrono::milliseconds(20);
    if (this_worker == nullptr) return false;
    this_worker->soon_.expires_after(soon);
    this_worker->soon_.async_wait([what = std::move(what)](const Error&) { what(); });
    return true;
}

std::future<std::vector<std::string>> Worker::set_listeners(std::vector<ListenSpec> specs) {
    std::packaged_task<std::vector<std::string>()> task(
        [this, specs = std::move(specs)]() mutable { return update_listeners(std::move(specs)); });
    auto future = task.get_future();
    asio::post(context_, std::move(task));
    return future;
}

std::vector<std::string> Worker::update_listeners(std::vector<ListenSpec> specs) {
    std::vector<std::string> problems;
    if (draining_) return problems;
    std::erase_if(listening_, [&](Listening& listening) {
        const auto is_same = [&](const ListenSpec& spec) { return spec.is_same_socket(*listening.spec); };
        const bool stays = std::any_of(specs.begin(), specs.end(), is_same);
        if (!stays) listening.listener.stop();
        return !stays;
    });
    for (ListenSpec& spec : specs) {
        const auto is_same = [&](const Listening& listening) { return spec.is_same_socket(*listening.spec); };
        const auto known = std::find_if(listening_.begin(), listening_.end(), is_same);
        if (known != listening_.end()) {
            *known->spec = std::move(spec);
            continue;
        }
        auto listener = spec.inherited >= 0
                            ? net::Listener::adopt(context_.get_executor(), spec.inherited)
                            : net::Listener::bind(context_.get_executor(), net::to_asio(spec.address, spec.port));
        if (!listener) {
            problems.push_back("cannot listen on " + core::format_ip(spec.address) + " port " +
                               std::to_string(spec.port) + ": " + listener.error().message());
            continue;
        }
        auto shared_spec = std::make_shared<ListenSpec>(std::move(spec));
        auto on_connection = [this, shared_spec](tcp::socket socket, const tcp::endpoint& peer) {
            on_socket(std::move(socket), net::to_core(peer.address()), *shared_spec);
        };
        auto on_pause = [this](const Error& error) {
            shared_.parts.metrics.accept_failed();
            shared_.parts.log.event_limited(Level::error, "accept", "cannot accept connections: " + error.message());
        };
        listener->start(std::move(on_connection), std::move(on_pause), [this] { return may_accept(); });
        listening_.push_back({.spec = std::move(shared_spec), .listener = std::move(*listener)});
    }
    return problems;
}

void Worker::on_socket(tcp::socket socket, const core::IpAddress& peer, const ListenSpec& at) {
    auto log_if_thrown = [this](const std::exception_ptr& thrown) {
        if (!thrown) return;
        try {
            std::rethrow_exception(thrown);
        } catch (const std::exception& bug) {
            shared_.parts.metrics.protocol_error("internal");
            shared_.parts.log.event_limited(Level::error, "internal",
                                            std::string("session ended by an internal error: ") + bug.what());
        }
    };
    auto place = std::make_unique<OpenSession>(shared_);
    asio::co_spawn(context_, serve(std::move(socket), peer, at.lane, at.tls, std::move(place)),
                   std::move(log_if_thrown));
}

/// With all places taken a new connection waits in the kernel's backlog for its greeting, for which Postfix has 300 s.
/// Any reply there, or a refused connection, would make it suspend all mail. Meanwhile room is made where that costs
/// nobody anything: sessions that are idle between two messages end, as Postfix's own smtpd does under stress.
bool Worker::may_accept() {
    const SessionSettings& sessions = settings_->sessions;
    if (shared_.open_sessions.load() < sessions.max) return true;
    shared_.parts.log.event_limited(Level::warning, "full",
                                    "as many sessions as sessions.max allows, " + std::to_string(sessions.max) +
                                        ": new ones wait, and idle ones end sooner");
    const auto limit = shared_.parts.clock.now() - sessions.timeout_when_full;
    for (SessionDriver* session : sessions_) session->end_if_idle_since(limit);
    return false;
}

net::Task<> Worker::serve(tcp::socket socket, core::IpAddress peer, std::string lane,
                          std::shared_ptr<const net::TlsServer> tls, std::unique_ptr<OpenSession> /*place*/) {
    net::Connection connection(std::move(socket));
    if (!is_trusted(*settings_, peer)) {
        turn_away(std::move(connection), peer);
        co_return;
    }
    SessionDriver driver(*this, std::move(connection), peer, std::move(lane), std::move(tls));
    const auto place = sessions_.insert(sessions_.end(), &driver);
    if (draining_) driver.drain();
    struct Leave {
        Worker& worker;
        std::list<SessionDriver*>::iterator place;
        ~Leave() {
            worker.sessions_.erase(place);
            worker.leave_when_done();
        }
    };
    const Leave leave{*this, place};
    co_await driver.run();
}

void Worker::turn_away(net::Connection connection, const core::IpAddress& peer) {
    shared_.parts.metrics.protocol_error("untrusted_client");
    shared_.parts.log.event_limited(Level::warning, "untrusted",
                                    "refused a connection from " + core::format_ip(peer) + ": not in trusted_clients");
    connection.write_now("554 5.7.1 " + settings_->hostname + " serves only its trusted_clients\r\n");
    connection.close();
}

void Worker::learn_extensions() {
    asio::co_spawn(context_, learn(), [](const std::exception_ptr&) {});
}

net::Task<> Worker::learn() {
    constexpr core::Duration pause = std::chrono::milliseconds(250);
    if (learning_) {
        learn_again_.cancel();  // whoever is at it looks again
        co_return;
    }
    learning_ = true;
    do {
        for (RelayAddress& relay : shared_.relays.take_unheard(shared_.parts.clock.now())) pool_.ask(std::move(relay));
        learn_again_.expires_after(pause);
        co_await learn_again_.async_wait(asio::as_tuple(asio::use_awaitable));
    } while (!draining_ && !shared_.relays.is_known());
    learning_ = false;
}

void Worker::apply(std::shared_ptr<const Settings> settings) {
    asio::post(context_, [this, settings = std::move(settings)] {
        settings_ = settings;
        pool_.set_settings(settings);
    });
}

void Worker::drain(core::Duration grace) {
    asio::post(context_, [this, grace] { begin_drain(grace); });
}

void Worker::begin_drain(core::Duration grace) {
    for (Listening& listening : listening_) listening.listener.stop();
    listening_.clear();
    draining_ = true;
    learn_again_.cancel();
    for (SessionDriver* session : sessions_) session->drain();
    grace_.expires_after(grace);
    grace_.async_wait([this](const Error& error) {
        if (error) return;
        for (SessionDriver* session : sessions_) session->abort();
        pool_.stop_connecting();
    });
    // Connections that stop() has just taken off the backlog are served first: their coroutines are queued already.
    asio::post(context_, [this] { leave_when_done(); });
}

void Worker::leave_when_done() {
    if (!draining_ || !sessions_.empty()) return;
    grace_.cancel();
    pool_.close_idle();
    guard_.reset();
}

}  // namespace weir::proxy
