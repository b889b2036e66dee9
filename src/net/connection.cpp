#include "weir/net/connection.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string>
#include <utility>

namespace weir::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using core::Errc;
using core::Error;

constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t command_size = 1024;
constexpr std::size_t read_size = 64 * 1024;

/// Where bodies are read to: the sessions of a worker share it, so that an idle one needs no buffer of this size.
std::span<char> shared_buffer() {
    thread_local std::array<char, read_size> buffer;
    return buffer;
}

bool is_in(std::string_view bytes, std::span<const char> buffer) {
    const std::less<const char*> before;
    return !bytes.empty() && !before(bytes.data(), buffer.data()) &&
           before(bytes.data(), buffer.data() + buffer.size());
}

bool would_block(const Error& error) {
    return error == asio::error::would_block || error == asio::error::try_again;
}

Error clean(const Error& error) {
    return error == asio::error::eof ? Error(Errc::closed_by_peer) : error;
}

}  // namespace

/// Kept alive by the Connection and by a timer that still runs.
struct Connection::State : std::enable_shared_from_this<Connection::State> {
    explicit State(tcp::socket s) : socket(std::move(s)), timer(socket.get_executor()) {}

    /// From here on a wait may last until `timeout` from now has passed.
    void begin_wait(core::Duration timeout) {
        const auto now = core::TimePoint::clock::now();
        deadline = timeout < core::TimePoint::max() - now ? now + timeout : core::TimePoint::max();
        waiting = true;
        expired = false;
        if (!armed || deadline < timer.expiry()) arm();
    }

    /// The wait is over; what it ended with, in our words.
    Error end_wait(const Error& error) {
        waiting = false;
        return error && expired ? Error(Errc::timed_out) : clean(error);
    }

    /// One timer serves every wait: it is not touched when a wait ends, and looks for itself when it fires whether
    /// the deadline has moved on meanwhile. Most waits therefore cost no timer at all.
    void arm() {
        armed = true;
        timer.expires_at(deadline);
        timer.async_wait([self = shared_from_this()](const Error& error) {
            if (error) return;  // re-armed, or the connection is gone
            self->armed = false;
            if (!self->waiting) return;
            if (core::TimePoint::clock::now() < self->deadline) return self->arm();
            self->expired = true;
            Error ignored;
            self->socket.cancel(ignored);
        });
    }

    void end() {
        timer.cancel();
        Error ignored;
        socket.close(ignored);
    }

    tcp::socket socket;
    asio::steady_timer timer;
    core::TimePoint deadline;
    std::array<char, command_size> commands;  ///< what a read begins with; most reads are commands and end with it too
    bool armed = false;
    bool waiting = false;
    bool expired = false;
};

Connection::Connection(tcp::socket socket) : state_(std::make_shared<State>(std::move(socket))) {
    Error ignored;
    state_->socket.non_blocking(true, ignored);
    // Replies are small and awaited: Nagle's algorithm against delayed ACKs would cost 40 ms each.
    state_->socket.set_option(tcp::no_delay(true), ignored);
}

Connection::Connection(Connection&&) noexcept = default;

Connection& Connection::operator=(Connection&& other) noexcept {
    if (this != &other) {
        if (state_) state_->end();
        state_ = std::move(other.state_);
    }
    return *this;
}

Connection::~Connection() {
    if (state_) state_->end();
}

Task<core::Result<std::span<const char>>> Connection::read_some(core::Duration timeout) {
    State& state = *state_;
    state.begin_wait(timeout);
    // Asio waits for a real read without touching epoll; waiting for readiness alone would cost two system calls more.
    const auto [error, size] = co_await state.socket.async_read_some(asio::buffer(state.commands), use_tuple);
    if (const Error ended = state.end_wait(error)) co_return ended;
    if (size < state.commands.size()) co_return std::span<const char>(state.commands.data(), size);
    const std::span<char> buffer = shared_buffer();
    std::copy(state.commands.begin(), state.commands.end(), buffer.begin());
    Error nothing_more;  // an end of file comes again with the next read
    const std::size_t more =
        state.socket.read_some(asio::buffer(buffer.data() + size, buffer.size() - size), nothing_more);
    co_return buffer.first(size + more);
}

Task<Error> Connection::write_all(std::string_view bytes, core::Duration timeout) {
    const auto begun = core::TimePoint::clock::now();
    std::string copy;
    while (!bytes.empty()) {
        Error error;
        bytes.remove_prefix(state_->socket.write_some(asio::buffer(bytes.data(), bytes.size()), error));
        if (!error) continue;
        if (!would_block(error)) co_return clean(error);
        // While we wait, other sessions read into the shared buffer.
        if (is_in(bytes, shared_buffer())) bytes = copy.assign(bytes);
        state_->begin_wait(timeout - (core::TimePoint::clock::now() - begun));
        std::tie(error) = co_await state_->socket.async_wait(tcp::socket::wait_write, use_tuple);
        if (const Error ended = state_->end_wait(error)) co_return ended;
    }
    co_return Error();
}

void Connection::write_now(std::string_view bytes) {
    Error ignored;
    state_->socket.write_some(asio::buffer(bytes.data(), bytes.size()), ignored);
}

bool Connection::has_unread_or_closed() {
    Error error;
    char byte = 0;
    state_->socket.receive(asio::buffer(&byte, 1), tcp::socket::message_peek, error);
    return !would_block(error);
}

asio::any_io_executor Connection::executor() {
    return state_->socket.get_executor();
}

void Connection::cancel() {
    Error ignored;
    state_->socket.cancel(ignored);
}

void Connection::close() {
    // Closing with unread bytes sends a reset, and the peer may lose the reply that it has not read yet.
    const std::span<char> buffer = shared_buffer();
    for (int i = 0; i < 4; ++i) {
        Error error;
        state_->socket.read_some(asio::buffer(buffer.data(), buffer.size()), error);
        if (error) break;
    }
    state_->end();
}

Task<core::Result<Connection>> connect(std::span<const tcp::endpoint> endpoints, core::Duration timeout) {
    const auto executor = co_await asio::this_coro::executor;
    Error last = Errc::relay_unreachable;
    for (const tcp::endpoint& endpoint : endpoints) {
        tcp::socket socket(executor);
        asio::steady_timer timer(executor, timeout);
        bool expired = false;
        timer.async_wait([&](const Error& error) {
            if (error) return;
            expired = true;
            Error ignored;
            socket.cancel(ignored);
        });
        std::tie(last) = co_await socket.async_connect(endpoint, use_tuple);
        timer.cancel();
        // The handler refers to this frame: let it run before the frame goes on.
        co_await asio::post(executor, asio::use_awaitable);
        if (expired) last = Errc::timed_out;
        if (!last) co_return Connection(std::move(socket));
    }
    co_return last;
}

}  // namespace weir::net
