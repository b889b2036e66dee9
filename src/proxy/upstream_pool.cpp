#include "upstream_pool.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "reply_meaning.hpp"
#include "secret.hpp"
#include "weir/net/route.hpp"

namespace weir::proxy {

namespace asio = boost::asio;
using core::Errc;
using core::Error;

namespace {

// With the default connect_timeout that is a minute: Postfix waits five for the reply to MAIL.
constexpr int all_relays = 3;

// Each address of a relay may refuse us in its greeting; we do not ask all of a large site.
constexpr unsigned most_greetings = 3;

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

/// Whether TLS is spoken from the first byte (RFC 8314 3.3).
bool is_wrapped(const RelayAddress& relay, const UpstreamSettings& settings) {
    constexpr std::uint16_t submissions = 465;
    return settings.tls.level != TlsSettings::Level::none && settings.tls.wrapper.value_or(relay.port == submissions);
}

RelayConnection::Tls tls_towards(const RelayAddress& relay, const UpstreamSettings& settings,
                                 std::shared_ptr<const net::TlsClient> client) {
    RelayConnection::Tls tls;
    tls.wrapper = is_wrapped(relay, settings);
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
      resolver_(executor_),
      connector_(executor_),
      reaper_(executor_) {
    resolver_.set_servers(settings_->upstream.resolver);
    budget_.add_pool(*this);
}

UpstreamPool::~UpstreamPool() = default;

std::optional<UpstreamPool::Lease> UpstreamPool::try_acquire_idle() {
    probe_if_due();
    while (!idle_.empty()) {
        RelayConnection connection = std::move(idle_.back());
        idle_.pop_back();
        idle_count_.store(idle_.size());
        count(connection.relay(), 0, -1);
        if (!relays_.is_preferred(connection.relay(), clock_.now())) {
            retire(std::move(connection));
            continue;
        }
        // However short it was idle: a farewell that waits there would be taken for the answer to MAIL.
        if (connection.is_fit_for_reuse()) return Lease(*this, std::move(connection), true);
        budget_.release();
    }
    return std::nullopt;
}

net::Task<core::Result<UpstreamPool::Lease>> UpstreamPool::acquire(bool fresh, core::TimePoint deadline) {
    if (!fresh) {
        if (auto lease = try_acquire_idle()) co_return std::move(*lease);
    }
    std::optional<RelayConnection> handed;
    if (const Error error = co_await wait_for_turn(handed, deadline)) co_return error;
    if (handed && handed->is_fit_for_reuse()) co_return Lease(*this, std::move(*handed), true);
    handed.reset();  // its permit serves for a new one
    co_return co_await connect(std::min(deadline, connect_deadline()));
}

/// Until one more connection may be open; perhaps it is open already.
net::Task<Error> UpstreamPool::wait_for_turn(std::optional<RelayConnection>& handed, core::TimePoint deadline) {
    const std::shared_ptr<ConnectionWaiter> waiter = budget_.take_or_wait(*this);
    if (!waiter) co_return Error();
    waiter->timer.expires_at(std::min(deadline, clock_.now() + settings_->upstream.wait_for_connection));
    const auto place = waiting_.insert(waiting_.end(), &waiter->timer);
    co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    waiting_.erase(place);
    if (budget_.give_up(waiter)) co_return Error(Errc::pool_saturated);
    handed = std::move(waiter->handed);
    co_return Error();
}

core::TimePoint UpstreamPool::connect_deadline() const {
    return clock_.now() + all_relays * settings_->upstream.connect_timeout;
}

net::Task<core::Result<UpstreamPool::Lease>> UpstreamPool::connect(core::TimePoint deadline) {
    for (const RelayAddress& relay : relays_.candidates(clock_.now())) {
        if (closing_ || clock_.now() >= deadline) break;
        auto connection = co_await connect_to(relay, deadline);
        if (connection) co_return Lease(*this, std::move(*connection), false);
    }
    budget_.release();
    co_return Error(Errc::relay_unreachable);
}

net::Task<core::Result<RelayConnection>> UpstreamPool::connect_to(RelayAddress relay, core::TimePoint deadline) {
    const auto settings = settings_;
    // A reload may have come since the relay was chosen: none is told what was meant for another.
    const auto& listed = settings->upstream.relays;
    if (std::find(listed.begin(), listed.end(), relay) == listed.end()) co_return Error(Errc::relay_unreachable);
    std::string why;
    auto connection = co_await open(relay, settings, settings->tls, deadline, why);
    const bool may_do_without =
        settings->upstream.tls.level == TlsSettings::Level::may && !is_wrapped(relay, settings->upstream);
    if (!connection && connection.error() == Errc::tls_failed && may_do_without) {
        log_.event_limited(
            telemetry::Level::warning, relay.text,
            "relay " + relay.text + ": " + why + "; going on in clear text, as upstream.tls.level allows");
        connection = co_await open(relay, settings, nullptr, deadline, why);
    }
    if (connection) {
        on_connected(*connection);
        co_return std::move(*connection);
    }
    if (closing_) co_return connection.error();  // our own doing, which says nothing of the relay
    log_.event_limited(telemetry::Level::warning, relay.text, "relay " + relay.text + " unreachable: " + why);
    relays_.on_failed(relay, {.error = connection.error(), .text = std::move(why)}, clock_.now());
    co_return connection.error();
}

/// To the first of the relay's addresses that not only accepts, but also greets us; with TLS or without it. `why` says
/// in words what the error means.
net::Task<core::Result<RelayConnection>> UpstreamPool::open(RelayAddress relay,
                                                            std::shared_ptr<const Settings> settings,
                                                            std::shared_ptr<const net::TlsClient> tls,
                                                            core::TimePoint deadline, std::string& why) {
    const core::Duration timeout = settings->upstream.connect_timeout;
    auto options = client_options(settings->upstream, tls != nullptr, why);
    if (!options) co_return options.error();
    const RelayConnection::Tls how = tls_towards(relay, settings->upstream, std::move(tls));
    options->is_encrypted = how.wrapper;
    net::Route::Target target{.host = relay.host, .port = relay.port, .lookup_mx = relay.lookup_mx};
    net::Route route(resolver_, connector_, std::move(target));
    Error error;
    for (unsigned i = 0; i < most_greetings && (i == 0 || clock_.now() < deadline); ++i) {
        auto socket = co_await route.next(timeout, deadline);
        if (!socket) {
            // What a relay said explains more than that there are no further addresses.
            if (!error) why = socket.error().message();
            if (!error) error = socket.error();
            metrics_.relay_replied(relay.text, telemetry::ReplyClass::system);
            break;
        }
        RelayConnection connection(std::move(*socket), relay, *options);
        error = co_await shake_hands(connection, how, timeout, deadline);
        if (!error) {
            connection.made_by = settings;
            co_return std::move(connection);
        }
        why = connection.problem(error);
        count_refusal(connection, error);
        if (RelayDirectory::Trouble{.error = error, .text = {}}.is_about_login())
            break;  // another of its addresses would only count one more wrong password
    }
    co_return error;
}

void UpstreamPool::count_refusal(const RelayConnection& connection, const Error& error) {
    if (closing_) return;
    const std::optional<smtp::Reply>& refusal = connection.session().refusal();
    const policy::Stage stage = error == Errc::auth_failed ? policy::Stage::auth : policy::Stage::connect;
    metrics_.relay_replied(connection.relay().text,
                           refusal ? class_of(*settings_->classifier, *refusal, stage) : telemetry::ReplyClass::system);
}

net::Task<Error> UpstreamPool::shake_hands(RelayConnection& connection, const RelayConnection::Tls& tls,
                                           core::Duration timeout, core::TimePoint deadline) {
    if (closing_) co_return asio::error::operation_aborted;  // stop_connecting() came before it was in the list
    const auto place = greeting_.insert(greeting_.end(), &connection);
    const Error error = co_await connection.handshake(tls, timeout, deadline);
    greeting_.erase(place);
    co_return error;
}

void UpstreamPool::on_connected(const RelayConnection& connection) {
    const RelayAddress& relay = connection.relay();
    const bool is_back = relays_.on_connected(relay, connection.session().extensions());
    if (connection.transport().is_encrypted()) {
        metrics_.relay_tls_handshake(relay.text, connection.transport().is_tls_session_resumed());
    }
    if (is_back) log_.event(telemetry::Level::info, "relay " + relay.text + " can be reached again");
    retire_less_preferred();
}

/// A relay that has just answered may be preferred to those that idle connections lead to.
void UpstreamPool::retire_less_preferred() {
    if (settings_->upstream.relays.size() < 2) return;
    std::vector<RelayConnection> kept;
    for (RelayConnection& connection : std::exchange(idle_, {})) {
        if (relays_.is_preferred(connection.relay(), clock_.now())) {
            kept.push_back(std::move(connection));
        } else {
            count(connection.relay(), 0, -1);
            retire(std::move(connection));
        }
    }
    idle_ = std::move(kept);
    idle_count_.store(idle_.size());
}

void UpstreamPool::ask(RelayAddress relay) {
    asio::co_spawn(executor_, ask_and_keep(std::move(relay)), asio::detached);
}

net::Task<> UpstreamPool::ask_and_keep(RelayAddress relay) {
    std::optional<RelayConnection> handed;
    if (co_await wait_for_turn(handed, core::TimePoint::max())) co_return;
    handed.reset();
    auto connection = co_await connect_to(std::move(relay), connect_deadline());
    if (connection) {
        keep_or_close(std::move(*connection));
    } else {
        budget_.release();
    }
}

/// While a relay less preferred does the work, no message has to wait for the other to be tried again.
void UpstreamPool::probe_if_due() {
    if (settings_->upstream.relays.size() < 2) return;
    if (auto relay = relays_.take_probe(clock_.now())) ask(std::move(*relay));
}

smtp::Reply UpstreamPool::refusal_for(const Error& error) const {
    if (error != Errc::relay_unreachable) return {451, "4.4.1 weir: relay unreachable: " + error.message()};
    const RelayDirectory::Trouble known = relays_.last_trouble();
    const std::string text = known.text.empty() ? error.message() : known.text;
    if (known.is_about_tls()) return {451, "4.7.5 weir: no secure connection to the relay: " + text};
    if (known.is_about_login()) return {451, "4.7.8 weir: cannot log in to the relay: " + text};
    return {451, "4.4.1 weir: relay unreachable: " + text};
}

void UpstreamPool::keep_or_close(RelayConnection connection) {
    const bool is_worn = connection.messages >= settings_->upstream.max_messages_per_connection;
    if (is_worn || !is_as_configured(connection) || closing_) return retire(std::move(connection));
    if (!relays_.is_preferred(connection.relay(), clock_.now())) return retire(std::move(connection));
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
    return is_listed && then.resolver == now.resolver && then.tls == now.tls && then.auth == now.auth &&
           then.ehlo_name == now.ehlo_name;
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
    resolver_.set_servers(settings_->upstream.resolver);
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
    stop_connecting();
}

void UpstreamPool::stop_connecting() {
    closing_ = true;
    resolver_.stop();
    connector_.stop();
    for (asio::steady_timer* timer : waiting_) timer->cancel();
    for (RelayConnection* connection : greeting_) connection->cancel();
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
