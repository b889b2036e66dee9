#include "upstream_pool.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "secret.hpp"
#include "weir/net/resolver.hpp"

namespace weir::proxy {

namespace asio = boost::asio;
using core::Errc;
using core::Error;

namespace {

bool is_trouble_with_tls(const Error& error) {
    return error == Errc::tls_failed || error == Errc::tls_not_offered;
}

bool is_trouble_with_login(const Error& error) {
    return error == Errc::auth_failed || error == Errc::auth_unavailable || error == Errc::auth_needs_tls ||
           error == Errc::secret_unavailable;
}

core::Result<smtp::ClientOptions> client_options(const UpstreamSettings& settings, bool with_tls, std::string& why) {
    using StartTls = smtp::ClientOptions::StartTls;
    smtp::ClientOptions options;
    options.ehlo_name = settings.ehlo_name;
    const bool is_required = settings.tls.level >= TlsSettings::Level::encrypt;
    options.start_tls = !with_tls ? StartTls::never : is_required ? StartTls::required : StartTls::if_offered;
    if (!settings.auth) return options;
    const auto credentials = read_credentials(*settings.auth, why);
    if (!credentials) return credentials.error();
    options.credentials = *credentials;
    options.allow_plaintext_auth = settings.auth->allow_plaintext_auth;
    return options;
}

RelayConnection::Tls tls_towards(const RelayAddress& relay, const UpstreamSettings& settings,
                                 std::shared_ptr<const net::TlsClient> client) {
    constexpr std::uint16_t submissions = 465;  // RFC 8314 3.3
    RelayConnection::Tls tls;
    tls.wrapper = client != nullptr && settings.tls.wrapper.value_or(relay.port == submissions);
    tls.client = std::move(client);
    tls.server_name = settings.tls.server_name.empty() ? relay.host : settings.tls.server_name;
    // No session is resumed across names, and none across accounts.
    tls.session_name = relay.text + ' ' + tls.server_name + ' ' + (settings.auth ? settings.auth->username : "");
    return tls;
}

}  // namespace

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
        // A connection that was in use a moment ago is not looked at: should it be dead, the transaction finds out at
        // MAIL, and replaces it.
        constexpr core::Duration fresh_enough = std::chrono::milliseconds(100);
        const bool is_fresh = clock_.now() - connection.idle_since < fresh_enough;
        if (is_fresh || connection.is_fit_for_reuse()) return Lease(*this, std::move(connection), true);
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
    std::string why;
    auto connection = co_await open(relay, settings, settings->tls, why);
    const bool may_do_without = settings->upstream.tls.level == TlsSettings::Level::may;
    if (!connection && connection.error() == Errc::tls_failed && may_do_without) {
        log_.event_limited(
            telemetry::Level::warning, relay.text,
            "relay " + relay.text + ": " + why + "; going on in clear text, as upstream.tls.level allows");
        connection = co_await open(relay, settings, nullptr, why);
    }
    if (connection) {
        relays_.on_connected(relay, connection->session().extensions());
        co_return std::move(*connection);
    }
    const bool is_login = connection.error() == Errc::auth_failed || connection.error() == Errc::secret_unavailable;
    metrics_.relay_replied(relay.text, is_login ? telemetry::ReplyClass::auth : telemetry::ReplyClass::system);
    log_.event_limited(telemetry::Level::warning, relay.text, "relay " + relay.text + " unreachable: " + why);
    relays_.on_failed(relay, {.error = connection.error(), .text = std::move(why)}, clock_.now());
    co_return connection.error();
}

/// One attempt, with TLS or without it. `why` says in words what the error means.
net::Task<core::Result<RelayConnection>> UpstreamPool::open(RelayAddress relay,
                                                            std::shared_ptr<const Settings> settings,
                                                            std::shared_ptr<const net::TlsClient> tls,
                                                            std::string& why) {
    const core::Duration timeout = settings->upstream.connect_timeout;
    auto options = client_options(settings->upstream, tls != nullptr, why);
    if (!options) co_return options.error();
    const RelayConnection::Tls how = tls_towards(relay, settings->upstream, std::move(tls));
    if (how.wrapper) options->is_encrypted = true;
    const auto endpoints = co_await net::resolve(relay.host, relay.port, timeout);
    Error error = endpoints ? Error() : endpoints.error();
    why = error.message();
    if (error) co_return error;
    auto socket = co_await net::connect(*endpoints, timeout);
    if (!socket) {
        why = socket.error().message();
        co_return socket.error();
    }
    RelayConnection connection(std::move(*socket), relay, *std::move(options));
    error = co_await connection.handshake(how, timeout, clock_);
    if (error) {
        why = connection.problem(error);
        co_return error;
    }
    connection.made_by = settings;
    if (connection.transport().is_encrypted()) {
        metrics_.relay_tls_handshake(relay.text, connection.transport().is_tls_session_resumed());
    }
    co_return std::move(connection);
}

smtp::Reply UpstreamPool::refusal_for(const Error& error) const {
    if (error != Errc::relay_unreachable) return {451, "4.4.1 weir: relay unreachable: " + error.message()};
    const RelayDirectory::Trouble known = relays_.last_trouble();
    const std::string text = known.text.empty() ? error.message() : known.text;
    if (is_trouble_with_tls(known.error)) return {451, "4.7.5 weir: no secure connection to the relay: " + text};
    if (is_trouble_with_login(known.error)) return {451, "4.7.8 weir: cannot log in to the relay: " + text};
    return {451, "4.4.1 weir: relay unreachable: " + text};
}

void UpstreamPool::keep_or_close(RelayConnection connection) {
    const bool is_worn = connection.messages >= settings_->upstream.max_messages_per_connection;
    if (is_worn || !is_as_configured(connection) || closing_) return retire(std::move(connection));
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

/// False for a connection from before a reload that changed where mail goes, how it is protected or who logs in.
bool UpstreamPool::is_as_configured(const RelayConnection& connection) const {
    if (connection.made_by == settings_) return true;
    const UpstreamSettings& then = connection.made_by->upstream;
    const UpstreamSettings& now = settings_->upstream;
    const bool is_listed = std::find(now.relays.begin(), now.relays.end(), connection.relay()) != now.relays.end();
    return is_listed && then.tls == now.tls && then.auth == now.auth && then.ehlo_name == now.ehlo_name;
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
