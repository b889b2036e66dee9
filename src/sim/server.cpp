#include "weir/sim/server.hpp"

#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "http_server.hpp"
#include "recorder.hpp"
#include "statistics.hpp"
#include "weir/net/connection.hpp"
#include "weir/net/endpoint.hpp"
#include "weir/net/listener.hpp"
#include "weir/net/task.hpp"
#include "weir/sim/session.hpp"

namespace weir::sim {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr core::Duration write_timeout = std::chrono::minutes(5);

/// What all sessions share, kept alive by each of them.
struct Relay final : Observer {
    Relay(const Settings& script, const core::Clock& time) : settings(script), clock(time), model(script.isp) {
        if (!settings.record.empty()) recorder.emplace(settings.record, clock);
    }

    void connected() override { statistics.connected(); }
    void disconnected() override { statistics.disconnected(); }
    void refused(Reason reason) override { statistics.refused(reason); }
    void violated(Violation violation) override { statistics.violated(violation); }

    void connection_refused(const RefusedConnection& refused_connection) override {
        statistics.connection_refused();
        if (recorder) recorder->connection_refused(refused_connection);
    }

    void transaction_ended(const Transaction& transaction) override {
        statistics.transaction_ended(transaction);
        if (recorder) recorder->transaction_ended(transaction);
    }

    const Settings settings;
    const core::Clock& clock;
    IspModel model;
    Statistics statistics;
    std::optional<Recorder> recorder;
    std::uint64_t connections = 0;
};

using SharedRelay = std::shared_ptr<Relay>;

/// The next close(2) of this descriptor sends RST instead of FIN.
void make_close_reset(int descriptor) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

// Runs one client's dialogue to its end. The session decides, this only carries.
net::Task<> serve(tcp::socket socket, SharedRelay relay) {
    const int descriptor = socket.native_handle();
    core::Error error;
    const tcp::endpoint peer = socket.remote_endpoint(error);
    asio::steady_timer timer(socket.get_executor());
    net::Connection connection(std::move(socket));
    const Session::Shared shared{relay->settings, relay->model, *relay};
    Session session(shared, net::to_core(peer.address()), ++relay->connections);
    while (!error) {
        const Action action = session.next(relay->clock.now());
        if (const auto* read = std::get_if<Read>(&action)) {
            const auto bytes = co_await connection.read_some(read->timeout);
            if (bytes) {
                session.feed({bytes->data(), bytes->size()});
            } else if (bytes.error() == core::Errc::timed_out) {
                session.timed_out();
            } else {
                error = bytes.error();
            }
        } else if (const auto* write = std::get_if<Write>(&action)) {
            error = co_await connection.write_all(write->bytes, write_timeout);
        } else if (const auto* wait = std::get_if<Wait>(&action)) {
            timer.expires_after(wait->time);
            co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
        } else {
            if (!std::get<Close>(action).reset) {
                connection.close();
            } else {
                make_close_reset(descriptor);
            }
            co_return;
        }
    }
}

Pages pages_of(const SharedRelay& relay) {
    const auto blocks = [relay] { return relay->model.blocks(relay->clock.now()); };
    return {
        {"/metrics", {"text/plain; version=0.0.4; charset=utf-8", [=] { return relay->statistics.metrics(blocks()); }}},
        {"/api/v1/summary", {"application/json", [=] { return relay->statistics.summary(blocks()); }}},
        {"/healthz", {"text/plain; charset=utf-8", [] { return std::string("ok\n"); }}},
    };
}

tcp::endpoint endpoint_of(const Endpoint& endpoint) {
    return net::to_asio(endpoint.address, endpoint.port);
}

}  // namespace

struct Server::Impl {
    Impl(asio::io_context& loop, const Settings& settings, const core::Clock& clock)
        : relay(std::make_shared<Relay>(settings, clock)), acceptor(adopt(loop, settings)) {
        acceptor.start(
            [relay_ = relay](tcp::socket socket, const tcp::endpoint&) {
                const auto executor = socket.get_executor();
                asio::co_spawn(executor, serve(std::move(socket), relay_), asio::detached);
            },
            [](const core::Error&) {});
        if (settings.admin) http.emplace(loop, endpoint_of(*settings.admin), pages_of(relay));
    }

    // Not Listener::bind: with SO_REUSEPORT a second weir-sim on the same port would quietly take half of the mail.
    static net::Listener adopt(asio::io_context& loop, const Settings& settings) {
        tcp::acceptor listening = listen_on(loop, endpoint_of(settings.listen));
        return net::Listener::adopt(loop.get_executor(), listening.native_handle()).value();
    }

    SharedRelay relay;
    net::Listener acceptor;
    std::optional<HttpServer> http;
};

Server::Server(asio::io_context& loop, const Settings& settings, const core::Clock& clock)
    : impl_(std::make_unique<Impl>(loop, settings, clock)) {}

Server::~Server() {
    impl_->acceptor.stop();
}

tcp::endpoint Server::smtp() const {
    return impl_->acceptor.local();
}

std::optional<tcp::endpoint> Server::admin() const {
    if (!impl_->http) return std::nullopt;
    return impl_->http->local();
}

}  // namespace weir::sim
