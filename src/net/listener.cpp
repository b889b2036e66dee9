#include "weir/net/listener.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

#include "weir/net/task.hpp"

namespace weir::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using core::Error;

constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);
constexpr int backlog = 1024;
constexpr std::chrono::milliseconds pause_when_exhausted{100};
constexpr std::chrono::milliseconds pause_when_full{50};

using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

/// The peer's own doing, or a signal: the next connection may be fine.
bool concerns_one_connection(const Error& error) {
    return error == asio::error::connection_aborted || error == asio::error::interrupted ||
           error == asio::error::network_unreachable || error == asio::error::host_unreachable;
}

}  // namespace

struct Listener::State : std::enable_shared_from_this<Listener::State> {
    explicit State(tcp::acceptor a) : acceptor(std::move(a)) {}

    Task<> accept_for_ever() {
        const auto self = shared_from_this();
        asio::steady_timer timer(acceptor.get_executor());
        while (acceptor.is_open()) {
            if (!may_accept()) {
                timer.expires_after(pause_when_full);
                co_await timer.async_wait(use_tuple);
                continue;
            }
            tcp::endpoint peer;
            auto [error, socket] = co_await acceptor.async_accept(peer, use_tuple);
            if (!error) {
                on_socket(std::move(socket), peer);
            } else if (error == asio::error::operation_aborted || !acceptor.is_open()) {
                co_return;
            } else if (!concerns_one_connection(error)) {
                on_pause(error);
                timer.expires_after(pause_when_exhausted);
                co_await timer.async_wait(use_tuple);
            }
        }
    }

    tcp::acceptor acceptor;
    bool adopted = false;
    OnSocket on_socket;
    OnPause on_pause;
    MayAccept may_accept;
};

Listener::Listener(std::shared_ptr<State> state) : state_(std::move(state)) {}

core::Result<Listener> Listener::bind(const asio::any_io_executor& executor, const tcp::endpoint& endpoint) {
    tcp::acceptor acceptor(executor);
    Error error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.set_option(reuse_port(true), error);
    if (!error && endpoint.address().is_v6()) acceptor.set_option(boost::asio::ip::v6_only(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(backlog, error);
    if (!error) acceptor.non_blocking(true, error);
    if (error) return error;
    return Listener(std::make_shared<State>(std::move(acceptor)));
}

core::Result<Listener> Listener::adopt(const asio::any_io_executor& executor, int descriptor) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        return Error(errno, boost::system::system_category());
    }
    const int duplicate = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (duplicate < 0) return Error(errno, boost::system::system_category());
    tcp::acceptor acceptor(executor);
    Error error;
    acceptor.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), duplicate, error);
    if (!error) acceptor.non_blocking(true, error);
    if (error) return error;
    auto state = std::make_shared<State>(std::move(acceptor));
    state->adopted = true;
    return Listener(std::move(state));
}

tcp::endpoint Listener::local() const {
    Error ignored;
    return state_->acceptor.local_endpoint(ignored);
}

void Listener::start(OnSocket on_socket, OnPause on_pause, MayAccept may_accept) {
    state_->on_socket = std::move(on_socket);
    state_->on_pause = std::move(on_pause);
    state_->may_accept = std::move(may_accept);
    asio::co_spawn(state_->acceptor.get_executor(), state_->accept_for_ever(), asio::detached);
}

void Listener::stop() {
    if (!state_->acceptor.is_open()) return;
    while (!state_->adopted) {
        Error error;
        tcp::endpoint peer;
        tcp::socket socket(state_->acceptor.get_executor());
        state_->acceptor.accept(socket, peer, error);
        if (error) break;
        state_->on_socket(std::move(socket), peer);
    }
    Error ignored;
    state_->acceptor.close(ignored);
}

}  // namespace weir::net
