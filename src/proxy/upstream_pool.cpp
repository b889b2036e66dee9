#include "upstream_pool.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "weir/net/resolver.hpp"

namespace weir::proxy {

namespace asio = boost::asio;
using core::Errc;
using core::Error;

UpstreamPool::Lease::Lease(UpstreamPool& pool, RelayConnection connection, bool reused)
    : pool_(&pool), connection_(std::move(connection)), reused_(reused) {
    pool_->count(connection_->relay(), 1, 0);
}

UpstreamPool::Lease::Lease(Lease&& other) noexcept
    : pool_(other.pool_), connection_(std::exchange(other.connection_, std::nullopt)), reused_(other.reused_) {}

UpstreamPool::Lease& UpstreamPool::Lease::operator=(Lease&& other) noexcept {
    if (this != &other) {
        drop();
        pool_ = other.pool_;
        connection_ = std::exchange(other.connection_, std::nullopt);
        reused_ = other.reused_;
    }
    return *this;
}

UpstreamPool::Lease::~Lease() {
    drop();
}

void UpstreamPool::Lease::give_back() {
    if (!connection_) return;
    RelayConnection connection = std::move(*connection_);
    connection_.reset();
    pool_->count(connection.relay(), -1, 0);
    pool_->keep_or_close(std::move(connection));
}

void UpstreamPool::Lease::drop() {
    if (!connection_) return;
    pool_->count(connection_->relay(), -1, 0);
    connection_.reset();
    pool_->budget_.release();
}

UpstreamPool::UpstreamPool(asio::any_io_executor executor, std::shared_ptr<const Settings> settings,
                           RelayDirectory& relays, ConnectionBudget& budget, const core::Clock& clock,
                           telemetry::Metrics& metrics, telemetry::Log& log)
    : executor_(std::move(executor)),
      settings_(std::move(settings)),
      relays_(relays),
      budget_(budget),
      clock_(clock),
      metrics_(metrics),
      log_(log),
      reaper_(executor_) {
    budget_.add_pool(*this);
}

UpstreamPool::~UpstreamPool() = default;

std::optional<UpstreamPool::Lease> UpstreamPool::try_acquire_idle() {
    while (!idle_.empty()) {
        RelayConnection connection = std::move(idle_.back());
        idle_.pop_back();
        idle_count_.store(idle_.size());
        count(connection.relay(), 0, -1);
        // However short it was idle: a farewell that waits there would be taken for the answer to MAIL.
        if (connection.is_fit_for_reuse()) return Lease(*this, std::move(connection), true);
        budget_.release();
    }
    return std::nullopt;
}

net::Task<core::Result<UpstreamPool::Lease>> UpstreamPool::acquire(bool fresh) {
    if (!fresh) {
        if (auto lease = try_acquire_idle()) co_return std::move(*lease);
    }
    const std::shared_ptr<ConnectionWaiter> waiter = budget_.take_or_wait(*this);
    if (waiter) {
        waiter->timer.expires_after(settings_->upstream.wait_for_connection);
        co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
        if (budget_.give_up(waiter)) co_return Error(Errc::pool_saturated);
        if (waiter->handed && !fresh && waiter->handed->is_fit_for_reuse()) {
            co_return Lease(*this, std::move(*waiter->handed), true);
        }
        waiter->handed.reset();  // its permit serves for a new one
    }
    co_return co_await connect();
}

net::Task<core::Result<UpstreamPool::Lease>> UpstreamPool::connect() {
    for (const RelayAddress& relay : relays_.candidates(clock_.now())) {
        auto connection = co_await connect_to(relay);
        if (connection) co_return Lease(*this, std::move(*connection), false);
    }
    budget_.release();
    co_return Error(Errc::relay_unreachable);
}

net::Task<core::Result<RelayConnection>> UpstreamPool::connect_to(RelayAddress relay) {
    const auto settings = settings_;
    const core::Duration timeout = settings->upstream.connect_timeout;
    const auto endpoints = co_await net::resolve(relay.host, relay.port, timeout);
    Error error = endpoints ? Error() : endpoints.error();
    std::string why = error.message();
    if (!error) {
        auto socket = co_await net::connect(*endpoints, timeout);
        if (socket) {
            RelayConnection connection(std::move(*socket), relay, settings->upstream.ehlo_name);
            error = co_await connection.handshake(timeout);
            if (!error) {
                relays_.on_connected(relay, connection.session().extensions());
                co_return std::move(connection);
            }
            why = describe(error, connection.session());
        } else {
            error = socket.error();
            why = error.message();
        }
    }
    metrics_.relay_replied(relay.text, telemetry::ReplyClass::system);
    log_.event_limited(telemetry::Level::warning, relay.text, "relay " + relay.text + " unreachable: " + why);
    relays_.on_failed(relay, std::move(why), clock_.now());
    co_return error;
}

smtp::Reply UpstreamPool::refusal_for(const Error& error) const {
    const std::string known = error == Errc::relay_unreachable ? relays_.last_error() : std::string();
    return {451, "4.4.1 weir: relay unreachable: " + (known.empty() ? error.message() : known)};
}

void UpstreamPool::keep_or_close(RelayConnection connection) {
    const auto& relays = settings_->upstream.relays;
    const bool is_configured = std::find(relays.begin(), relays.end(), connection.relay()) != relays.end();
    const bool is_worn = connection.messages >= settings_->upstream.max_messages_per_connection;
    if (is_worn || !is_configured || closing_) return retire(std::move(connection));
    switch (budget_.offer(*this, connection)) {
        case ConnectionBudget::Fate::handed_on:
            return;
        case ConnectionBudget::Fate::close:
            return retire(std::move(connection));
        case ConnectionBudget::Fate::keep:
            break;
    }
    count(connection.relay(), 0, 1);
    connection.idle_since = clock_.now();
    idle_.push_back(std::move(connection));
    idle_count_.store(idle_.size());
    // Somebody may have begun to wait after offer() and before the line above: then he saw nothing to ask for.
    if (budget_.has_waiters()) ask_to_shed();
    reap_later();
}

/// Closes in the background; the permit is free when the relay has closed too.
void UpstreamPool::retire(RelayConnection connection) {
    if (closing_) {
        connection.hang_up();
        return budget_.release();
    }
    asio::co_spawn(executor_, quit_and_release(std::move(connection)), asio::detached);
}

net::Task<> UpstreamPool::quit_and_release(RelayConnection connection) {
    co_await connection.quit();
    budget_.release();
}

/// The oldest of the idle connections, which stand in front.
void UpstreamPool::retire_oldest() {
    RelayConnection connection = std::move(idle_.front());
    idle_.erase(idle_.begin());
    idle_count_.store(idle_.size());
    count(connection.relay(), 0, -1);
    retire(std::move(connection));
}

void UpstreamPool::set_settings(std::shared_ptr<const Settings> settings) {
    settings_ = std::move(settings);
    std::vector<RelayConnection> idle = std::move(idle_);
    idle_.clear();
    idle_count_.store(0);
    for (RelayConnection& connection : idle) {
        count(connection.relay(), 0, -1);
        keep_or_close(std::move(connection));
    }
}

void UpstreamPool::close_idle() {
    closing_ = true;
    while (!idle_.empty()) retire_oldest();
    reaper_.cancel();
}

void UpstreamPool::ask_to_shed() {
    if (idle_count_.load() == 0) return;
    asio::post(executor_, [this] { shed_one(); });
}

void UpstreamPool::shed_one() {
    if (!idle_.empty() && budget_.has_waiters()) retire_oldest();
}

/// Idle connections are closed before the relay gets tired of them;
void UpstreamPool::reap_later() {
    if (reaping_ || idle_.empty()) return;
    reaping_ = true;
    reaper_.expires_at(idle_.front().idle_since + settings_->upstream.idle_timeout);
    reaper_.async_wait([this](const Error& error) {
        reaping_ = false;
        if (error) return;
        const auto limit = clock_.now() - settings_->upstream.idle_timeout;
        while (!idle_.empty() && idle_.front().idle_since <= limit) retire_oldest();
        reap_later();
    });
}

void UpstreamPool::count(const RelayAddress& relay, int busy, int idle) {
    metrics_.relay_connections(relay.text, busy, idle);
    if (busy + idle > 0) metrics_.session_opened(telemetry::Side::relay);
    if (busy + idle < 0) metrics_.session_closed(telemetry::Side::relay);
}

}  // namespace weir::proxy
