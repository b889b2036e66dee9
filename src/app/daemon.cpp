#include "daemon.hpp"

#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "systemd.hpp"
#include "weir/admin/server.hpp"
#include "weir/config/settings.hpp"
#include "weir/net/endpoint.hpp"
#include "weir/net/tls.hpp"
#include "weir/policy/classifier.hpp"
#include "weir/policy/engine.hpp"
#include "weir/proxy/proxy.hpp"
#include "weir/telemetry/log.hpp"
#include "weir/telemetry/metrics.hpp"

namespace weir::app {
namespace {

namespace asio = boost::asio;

constexpr core::Duration drain_grace = std::chrono::seconds(25);

std::string host_name() {
    std::array<char, 256> name{};
    if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
    return name.data();
}

std::uint64_t random_seed() {
    std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32U) | device();
}

/// A session is a descriptor; the usual soft limit of 1,024 would refuse the thousandth.
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/// How many sessions leave descriptors for the relay connections, for the listeners, one accepted connection each that
/// has no place any more, the workers' loops, and for the admin server, its 64 connections, names and the log.
std::size_t sessions_that_fit(const config::Settings& settings) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return settings.sessions.max;
    constexpr std::size_t for_a_worker = 8;
    const std::size_t for_the_rest = settings.admin ? 100 : 30;
    const std::size_t reserved = settings.upstream.max_connections +
                                 settings.workers * (2 * settings.listen.size() + for_a_worker) + for_the_rest;
    return limit.rlim_cur > reserved ? limit.rlim_cur - reserved : 1;
}

telemetry::Level level_of(config::LogSettings::Level level) {
    switch (level) {
        case config::LogSettings::Level::debug:
            return telemetry::Level::debug;
        case config::LogSettings::Level::info:
            return telemetry::Level::info;
        case config::LogSettings::Level::warning:
            return telemetry::Level::warning;
        case config::LogSettings::Level::error:
            return telemetry::Level::error;
    }
    return telemetry::Level::info;
}

telemetry::Format format_of(config::LogSettings::Format format) {
    return format == config::LogSettings::Format::json ? telemetry::Format::json : telemetry::Format::text;
}

std::string text_of(const config::Endpoint& endpoint) {
    const std::string address = core::format_ip(endpoint.address);
    return (endpoint.address.is_v4() ? address : "[" + address + "]") + ":" + std::to_string(endpoint.port);
}

/// Whom to trust as the relay. Throws ConfigError where a file of upstream.tls cannot be used.
std::shared_ptr<const net::TlsClient> tls_to_relay(const proxy::TlsSettings& tls) {
    using Level = proxy::TlsSettings::Level;
    if (tls.level == Level::none) return nullptr;
    try {
        return std::make_shared<const net::TlsClient>(net::TlsClient::Options{.verify = tls.level == Level::secure,
                                                                              .ca_file = tls.ca_file,
                                                                              .certificate_file = tls.certificate_file,
                                                                              .key_file = tls.key_file});
    } catch (const std::runtime_error& error) {
        throw config::ConfigError(std::string("upstream.tls: ") + error.what());
    }
}

/// The same for a listener.
std::shared_ptr<const net::TlsServer> tls_from_postfix(const config::ListenSettings& listen) {
    if (!listen.tls) return nullptr;
    try {
        return std::make_shared<const net::TlsServer>(listen.tls->certificate_file, listen.tls->key_file);
    } catch (const std::runtime_error& error) {
        throw config::ConfigError("listen.tls of " + text_of(listen.endpoint) + ": " + error.what());
    }
}

proxy::Settings proxy_settings(const config::Settings& settings) {
    proxy::Settings result{.hostname = host_name(),
                           .trusted_clients = settings.trusted_clients,
                           .sessions = settings.sessions,
                           .upstream = settings.upstream,
                           .tls = tls_to_relay(settings.upstream.tls),
                           .classifier = std::make_shared<const policy::Classifier>(
                               policy::Classifier::create(settings.classify).value())};
    result.sessions.max = std::min(result.sessions.max, sessions_that_fit(settings));
    if (result.upstream.ehlo_name.empty()) result.upstream.ehlo_name = result.hostname;
    return result;
}

class Daemon {
public:
    Daemon(std::filesystem::path file, config::Settings settings)
        : file_(std::move(file)),
          settings_(std::move(settings)),
          inherited_(take_inherited_sockets()),
          log_(level_of(settings_.log.level), format_of(settings_.log.format)),
          engine_(settings_.policy, random_seed(), random_seed()),
          proxy_({.engine = engine_, .metrics = metrics_, .log = log_, .clock = clock_}, proxy_settings(settings_),
                 settings_.workers),
          signals_(context_, SIGHUP, SIGTERM, SIGINT),
          started_(clock_.now()) {}

    int run() {
        log_.set_flush_scheduler([this] {
            const auto flush = [this] { log_.flush(); };
            if (!proxy::Proxy::soon_on_this_worker(flush)) asio::post(context_, flush);
        });
        metrics_.set_snapshot_source([this] { return snapshot(); });
        metrics_.config_reloaded(true);
        if (settings_.admin) {
            admin_.emplace(net::to_asio(settings_.admin->address, settings_.admin->port), admin_sources(), log_);
        }
        for (const std::string& warning : settings_.warnings) log_.event(telemetry::Level::warning, warning);
        warn_of_few_descriptors(settings_);
        const auto problems = proxy_.start(listen_specs(settings_));
        for (const std::string& problem : problems) std::cerr << "weir: " << problem << '\n';
        if (!problems.empty()) return EX_UNAVAILABLE;  // the service manager shows why, not a daemon that serves nobody
        log_.event(telemetry::Level::info, "weir " WEIR_VERSION " is listening on " + addresses());
        wait_for_signal();
        notify("READY=1");
        context_.run();
        log_.set_flush_scheduler({});
        log_.event(telemetry::Level::info, "weir has stopped");
        log_.flush();
        return EX_OK;
    }

private:
    void wait_for_signal() {
        signals_.async_wait([this](const core::Error& error, int signal) {
            if (error) return;
            if (signal == SIGHUP) {
                reload();
                wait_for_signal();
            } else {
                stop();
            }
        });
    }

    void warn_of_few_descriptors(const config::Settings& settings) {
        const std::size_t fit = sessions_that_fit(settings);
        if (fit >= settings.sessions.max) return;
        log_.event(telemetry::Level::warning, "sessions.max is " + std::to_string(settings.sessions.max) +
                                                  ", but only " + std::to_string(fit) +
                                                  " fit under the limit of open files; raise it (LimitNOFILE=)");
    }

    void reload() {
        notify("RELOADING=1");
        try {
            config::Settings next = config::load_file(file_);
            if (next.workers != settings_.workers) {
                log_.event(telemetry::Level::warning, "workers: a change takes effect at the next start");
            }
            if (next.admin != settings_.admin) {
                log_.event(telemetry::Level::warning, "admin.listen: a change takes effect at the next start");
                next.admin = settings_.admin;
            }
            // Certificates and keys are read before anything is changed: one that is bad keeps the old settings too.
            proxy::Settings next_proxy = proxy_settings(next);
            const std::vector<proxy::ListenSpec> next_listen = listen_specs(next);
            for (const std::string& warning : next.warnings) log_.event(telemetry::Level::warning, warning);
            warn_of_few_descriptors(next);
            {
                const std::lock_guard lock(mutex_);
                settings_ = std::move(next);
                reload_error_.clear();
                reloaded_ = clock_.wall();
            }
            log_.configure(level_of(settings_.log.level), format_of(settings_.log.format));
            engine_.reconfigure(settings_.policy);
            for (const std::string& problem : proxy_.reload(std::move(next_proxy), next_listen)) {
                log_.event(telemetry::Level::error, problem);
            }
            metrics_.config_reloaded(true);
            log_.event(telemetry::Level::info, "reloaded " + file_.string());
        } catch (const config::ConfigError& error) {
            {
                const std::lock_guard lock(mutex_);
                reload_error_ = error.what();
            }
            metrics_.config_reloaded(false);
            log_.event(telemetry::Level::error, std::string("reload refused, the old settings stay: ") + error.what());
        }
        notify("READY=1");
    }

    void stop() {
        notify("STOPPING=1");
        log_.event(telemetry::Level::info, "draining: messages under way end first");
        draining_ = true;
        proxy_.drain(drain_grace);
        // The loop goes on writing the log meanwhile; a second signal does not wait for the drain.
        signals_.async_wait([](const core::Error& error, int) {
            if (!error) _exit(EX_TEMPFAIL);
        });
        waiter_ = std::thread([this] {
            proxy_.wait();
            asio::post(context_, [this] { finish(); });
        });
    }

    void finish() {
        waiter_.join();
        if (admin_) admin_->stop();
        signals_.cancel();
        context_.stop();
    }

    [[nodiscard]] std::vector<proxy::ListenSpec> listen_specs(const config::Settings& settings) const {
        std::vector<proxy::ListenSpec> specs;
        for (const config::ListenSettings& listen : settings.listen) {
            const core::IpAddress& address = listen.endpoint.address;
            const std::uint16_t port = listen.endpoint.port;
            const auto same = [&](const InheritedSocket& s) { return s.address == address && s.port == port; };
            const auto found = std::find_if(inherited_.begin(), inherited_.end(), same);
            specs.push_back({.address = address,
                             .port = port,
                             .lane = listen.lane,
                             .inherited = found == inherited_.end() ? -1 : found->descriptor,
                             .tls = tls_from_postfix(listen)});
        }
        return specs;
    }

    [[nodiscard]] std::string addresses() const {
        std::string text;
        for (const config::ListenSettings& listen : settings_.listen) {
            if (!text.empty()) text += ", ";
            text += text_of(listen.endpoint);
        }
        return text;
    }

    [[nodiscard]] telemetry::Metrics::Snapshot snapshot() const {
        telemetry::Metrics::Snapshot result;
        for (const auto& limit : engine_.status(clock_.now())) {
            result.limits.push_back(
                {.name = limit.name, .tracked_keys = limit.tracked_keys, .remaining = limit.remaining});
        }
        for (const auto& top : engine_.top_origins()) {
            result.top_origins.push_back({.origin = top.origin, .messages = top.messages});
        }
        return result;
    }

    [[nodiscard]] admin::Sources admin_sources() {
        return {.metrics = [this] { return metrics_.render(); },
                .readiness = [this] { return readiness(); },
                .status = [this] { return status(); }};
    }

    [[nodiscard]] admin::Readiness readiness() const {
        if (draining_) return {.is_ready = false, .reason = "draining"};
        if (!proxy_.is_relay_known()) return {.is_ready = false, .reason = "no relay has been reached yet"};
        return {.is_ready = true};
    }

    [[nodiscard]] admin::Status status() const {
        admin::Status result;
        result.version = WEIR_VERSION;
        result.uptime = clock_.now() - started_;
        for (const auto& relay : proxy_.relays()) {
            const auto connections = metrics_.connections_of(relay.relay);
            result.relays.push_back({.relay = relay.relay,
                                     .state = relay.reachable ? "normal" : "unreachable",
                                     .busy_connections = connections.busy,
                                     .idle_connections = connections.idle,
                                     .last_error = relay.last_error});
        }
        for (const auto& limit : engine_.status(clock_.now())) {
            result.limits.push_back({.name = limit.name,
                                     .mode = limit.mode == policy::Mode::observe ? "observe" : "enforce",
                                     .tracked_keys = limit.tracked_keys,
                                     .held = limit.held,
                                     .remaining = limit.remaining});
        }
        const auto totals = metrics_.totals();
        result.totals = {.relayed = totals.relayed,
                         .held = totals.held,
                         .relay_tempfail = totals.relay_tempfail,
                         .relay_reject = totals.relay_reject,
                         .aborted = totals.aborted,
                         .client_sessions = totals.client_sessions,
                         .relay_sessions = totals.relay_sessions};
        const std::lock_guard lock(mutex_);
        result.mode = settings_.policy.mode == policy::Mode::observe ? "observe" : "enforce";
        for (const auto& listen : settings_.listen) {
            result.listeners.push_back({.address = text_of(listen.endpoint), .lane = listen.lane});
        }
        result.config = {.file = file_.string(),
                         .last_reload_successful = reload_error_.empty(),
                         .last_reload = reloaded_,
                         .error = reload_error_};
        return result;
    }

    std::filesystem::path file_;
    core::SystemClock clock_;
    mutable std::mutex mutex_;  ///< guards settings_ against the admin thread, and what the last reload left
    config::Settings settings_;
    std::string reload_error_;
    core::WallTime reloaded_ = clock_.wall();
    std::vector<InheritedSocket> inherited_;
    telemetry::Metrics metrics_;
    telemetry::Log log_;
    policy::Engine engine_;
    proxy::Proxy proxy_;
    asio::io_context context_{1};
    asio::signal_set signals_;
    std::thread waiter_;
    core::TimePoint started_;
    std::atomic<bool> draining_{false};
    std::optional<admin::Server> admin_;
};

}  // namespace

int run(const std::filesystem::path& file) {
    try {
        std::signal(SIGPIPE, SIG_IGN);
        raise_descriptor_limit();
        return std::make_unique<Daemon>(file, config::load_file(file))->run();
    } catch (const config::ConfigError& error) {
        std::cerr << error.what() << '\n';
        return EX_CONFIG;
    } catch (const std::exception& error) {
        std::cerr << "weir: " << error.what() << '\n';
        return EX_UNAVAILABLE;
    }
}

}  // namespace weir::app
